// What has a time: recalling, and applications that nobody answers. A program of its own, with short times.
import { Person } from '../person.mjs'
import { desktop } from '../stage.mjs'
import { equal, until } from '../steps.mjs'

export async function windows(stage) {
  let server, daiyu, xiangyun

  await stage.step('another program begins, where little time is given', async () => {
    server = await stage.another('server-windows', ['--recall-window', '4s', '--apply-expiry', '3s'])
    await server.start()
    daiyu = new Person(await stage.open('daiyu-w', desktop), '林黛玉')
    xiangyun = new Person(await stage.open('xiangyun-w', desktop), '史湘云')
    await daiyu.enter(server.origin)
    await xiangyun.enter(server.origin)
  })

  await stage.step('recalling is offered as long as this program takes it, and no longer', async () => {
    await daiyu.open('薛宝钗')
    await daiyu.say('这句收得回')
    await daiyu.seesSent('这句收得回')
    const offered = async () => {
      await daiyu.said('这句收得回').hover()
      await daiyu.said('这句收得回').getByRole('button', { name: '更多操作' }).click()
      const items = (await daiyu.page.getByRole('menuitem').allInnerTexts()).map((text) => text.trim())
      await daiyu.page.keyboard.press('Escape')
      return items
    }
    equal(await offered(), ['回复', '复制文字', '编辑', '撤回'], 'at once')
    await until('the time is over', async () => JSON.stringify(await offered()) === JSON.stringify(['回复', '复制文字', '编辑']))
  })

  await stage.step('an application nobody answers expires for both, and is made again', async () => {
    await xiangyun.choose('加好友')
    await xiangyun.page.getByRole('searchbox', { name: '查找用户' }).fill('黛玉')
    await xiangyun.button('查找').click()
    await xiangyun.page.getByRole('textbox', { name: '留言' }).fill('林姐姐，是我')
    await xiangyun.button('申请加 林黛玉 为好友').click()
    await xiangyun.page.getByRole('dialog').getByText('已发出申请').waitFor()
    await xiangyun.page.keyboard.press('Escape')
    await daiyu.page.getByText('史湘云想加你为好友').first().waitFor()
    await daiyu.pane(/申请/)
    const theirs = daiyu.page.getByRole('listitem').filter({ hasText: '林姐姐，是我' })
    await theirs.getByRole('button', { name: '同意史湘云' }).waitFor()
    await xiangyun.pane(/申请/)
    const mine = xiangyun.page.getByRole('listitem').filter({ hasText: '林姐姐，是我' })
    await mine.getByText('等待对方确认').waitFor()
    for (const [person, row] of [[xiangyun, mine], [daiyu, theirs]]) {
      await until('it is expired', async () => {
        await person.pane(/聊天/)
        await person.pane(/申请/)
        return (await row.getByText('已过期').count()) === 1
      })
    }
    equal(await theirs.getByRole('button').count(), 0, 'what can be answered of it')
    await stage.picture(xiangyun.page, 'expired')
    await mine.getByRole('button', { name: '再次申请' }).click()
    await daiyu.page.getByRole('listitem').filter({ hasText: '林姐姐，是我' }).getByRole('button', { name: '同意史湘云' }).click()
    await xiangyun.page.getByText('林黛玉同意了你的好友申请').first().waitFor()
    await stage.close('daiyu-w')
    await stage.close('xiangyun-w')
  })
}
