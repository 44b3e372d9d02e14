// People and groups part, and some find together again.
import { Person } from '../person.mjs'
import { desktop } from '../stage.mjs'
import { equal } from '../steps.mjs'
import { group } from './meeting.mjs'

export async function parting(stage) {
  const { daiyu, xiangyun } = stage

  await stage.step('a group is left and deleted, a friend removed; the other one is told', async () => {
    await daiyu.page.emulateMedia({ colorScheme: 'light' })
    await xiangyun.open(group)
    const mine = await xiangyun.details()
    await mine.getByRole('button', { name: '退出群聊' }).click()
    await xiangyun.page.getByRole('dialog').getByRole('button', { name: '退出群聊' }).click()
    await xiangyun.page.getByText('你不在这个群里').waitFor()
    await xiangyun.sees('这一句读给你听') // one's own past stays readable
    await daiyu.open(group)
    const details = await daiyu.details()
    await details.getByText('1 人').waitFor()
    await details.getByRole('button', { name: '解散群聊' }).click()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '解散群聊' }).click()
    await daiyu.page.getByText('你不在这个群里').waitFor()

    await daiyu.open('枕霞旧友')
    await (await daiyu.details()).getByRole('button', { name: '删除好友' }).click()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '删除好友' }).click()
    await daiyu.page.getByText('你们现在不是好友').waitFor()
    await xiangyun.page.getByText('林黛玉解除了与你的好友关系').waitFor()
  })

  await stage.step('a refused message says why, and can be sent again', async () => {
    await xiangyun.open('林黛玉')
    await xiangyun.say('还在吗？')
    await xiangyun.page.getByText('未发送：你们不是好友').waitFor()
    await xiangyun.page.getByRole('region', { name: '林黛玉' }).getByRole('button', { name: '加好友' }).click()
    await daiyu.pane(/申请/)
    await daiyu.button('同意枕霞旧友').click()
    await xiangyun.page.getByText('林黛玉同意了你的好友申请').last().waitFor()
    await xiangyun.button('重新发送').click()
    await xiangyun.seesSent('还在吗？')
    await daiyu.open('枕霞旧友')
    await daiyu.sees('还在吗？')
  })

  await stage.step('one asks to join a group by its id; its owner agrees, and removes again', async () => {
    await daiyu.open('海棠诗社')
    const id = await (await daiyu.details()).locator('code').innerText()
    await xiangyun.choose('加群')
    await xiangyun.page.getByRole('textbox', { name: '群 ID' }).fill(id)
    await xiangyun.button('查找').click()
    await xiangyun.page.getByRole('textbox', { name: '留言' }).fill('也让我入社吧')
    await xiangyun.button('申请加入').click()
    await xiangyun.page.getByRole('dialog').getByText('已发出申请').waitFor()
    await xiangyun.page.keyboard.press('Escape')

    const xifeng = new Person(await stage.open('xifeng', desktop), '王熙凤')
    await xifeng.enter(stage.server.origin)
    await xifeng.open('海棠诗社')
    const details = await xifeng.details()
    await details.getByText('也让我入社吧').waitFor()
    await details.getByRole('button', { name: '同意枕霞旧友' }).click()
    await xiangyun.page.getByText('你已加入「海棠诗社」').waitFor()
    await xiangyun.open('海棠诗社')
    await xiangyun.say('我来迟了，甘愿受罚。')
    await xifeng.sees('我来迟了，甘愿受罚。')
    equal(await xiangyun.texts(), ['我来迟了，甘愿受罚。'], 'what a new member sees of the group')

    await details.getByRole('button', { name: '枕霞旧友 的操作' }).click()
    await xifeng.page.getByRole('menuitem', { name: '移出' }).click()
    await xifeng.page.getByRole('dialog').getByRole('button', { name: '移出' }).click()
    await xiangyun.page.getByText('你被移出了「海棠诗社」').waitFor()
    await xiangyun.page.getByText('你不在这个群里').waitFor()
    await details.getByRole('button', { name: '枕霞旧友', exact: true }).waitFor({ state: 'detached' })
    await stage.close('xifeng')
  })

  await stage.step('a link with a bad token is refused, and taken out of the address', async () => {
    const page = await stage.open('stranger', desktop)
    const claims = Buffer.from(JSON.stringify({ sub: 'daiyu', name: '林黛玉' })).toString('base64url')
    await page.goto(`${stage.server.origin}/#token=e30.${claims}.forged`)
    await page.getByText('令牌无效或已过期').waitFor()
    equal(new URL(page.url()).hash, '', 'the address')
    await stage.close('stranger')
  })
}
