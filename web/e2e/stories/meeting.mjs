// Two people meet, talk and make a group.
import { accessible } from '../accessibility.mjs'
import { Person } from '../person.mjs'
import { desktop, phone } from '../stage.mjs'
import { equal, until } from '../steps.mjs'

export const group = '菊花诗社'

export async function meeting(stage) {
  let daiyu, xiangyun

  await stage.step('two windows show the demo people and become two of them', async () => {
    daiyu = new Person(await stage.open('daiyu', desktop), '林黛玉')
    xiangyun = new Person(await stage.open('xiangyun', desktop), '史湘云')
    await daiyu.page.goto(stage.server.origin)
    await until('there are five cards', async () => (await daiyu.page.getByRole('listitem').count()) === 5)
    await accessible(daiyu.page, 'welcome')
    await stage.picture(daiyu.page, 'welcome')
    await daiyu.enter(stage.server.origin)
    await xiangyun.enter(stage.server.origin)
    await daiyu.row('海棠诗社').waitFor() // made by the demo
    Object.assign(stage, { daiyu, xiangyun })
  })

  await stage.step('one applies, the other is told and accepts', async () => {
    await xiangyun.choose('加好友')
    await xiangyun.page.getByRole('searchbox', { name: '查找用户' }).fill('黛玉')
    await xiangyun.button('查找').click()
    await xiangyun.page.getByRole('textbox', { name: '留言' }).fill('林姐姐，我是湘云，快加我！')
    await xiangyun.button('申请加 林黛玉 为好友').click()
    await xiangyun.page.getByRole('dialog').getByText('已发出申请').waitFor()
    await xiangyun.button('关闭').first().click()

    await daiyu.page.getByText('史湘云想加你为好友').waitFor()
    await daiyu.pane(/申请/)
    await daiyu.page.getByText('林姐姐，我是湘云，快加我！', { exact: true }).waitFor()
    await stage.picture(daiyu.page, 'requests')
    await daiyu.button('同意史湘云').click()
    await daiyu.page.getByText('已同意').first().waitFor()
    await xiangyun.page.getByText('林黛玉同意了你的好友申请').waitFor()
  })

  await stage.step('they chat both ways: Chinese, signs, several lines, by keys alone', async () => {
    await daiyu.open('史湘云')
    await daiyu.say('云妹妹来了？😀')
    await xiangyun.row('林黛玉').getByText('1 条未读').waitFor({ state: 'attached' })
    await xiangyun.open('林黛玉')
    await xiangyun.sees('云妹妹来了？😀')
    await xiangyun.field.pressSequentially('来了！<b>&amp;')
    await xiangyun.field.press('Shift+Enter')
    await xiangyun.field.pressSequentially('第二行')
    await xiangyun.field.press('Enter')
    await daiyu.sees('来了！<b>&amp;\n第二行')
    equal(await daiyu.texts(), ['云妹妹来了？😀', '来了！<b>&amp;\n第二行'], 'the words in order')
  })

  await stage.step('a message is marked as in the log, then as read', async () => {
    await daiyu.seesState('云妹妹来了？😀', '已读')
    await xiangyun.row('林黛玉').getByText('条未读').waitFor({ state: 'detached' })
  })

  await stage.step('Enter takes an input method’s candidate and sends nothing', async () => {
    const keys = await xiangyun.page.context().newCDPSession(xiangyun.page)
    await xiangyun.field.focus()
    await keys.send('Input.imeSetComposition', { text: 'haode', selectionStart: 5, selectionEnd: 5 })
    await keys.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 })
    await keys.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 })
    await keys.send('Input.insertText', { text: '好的' })
    equal(await xiangyun.field.inputValue(), '好的', 'the field after the composition')
    equal((await xiangyun.texts()).length, 2, 'messages sent so far')
    await xiangyun.field.press('Enter')
    await daiyu.sees('好的')
  })

  await stage.step('another tab of the same person shows own words too', async () => {
    const page = await stage.tab(daiyu.page.context(), 'daiyu-2')
    const elsewhere = new Person(page, '林黛玉')
    await elsewhere.enter(stage.server.origin)
    await elsewhere.open('史湘云')
    await elsewhere.sees('好的')
    await daiyu.say('这句从另一个窗口也看得见')
    await elsewhere.sees('这句从另一个窗口也看得见')
    await elsewhere.say('这句也是')
    await daiyu.sees('这句也是')
    await xiangyun.sees('这句也是')
    await stage.close('daiyu-2')
  })

  await stage.step('one makes a group and invites the other, who accepts', async () => {
    await daiyu.choose('建群')
    await daiyu.page.getByRole('textbox', { name: '群名称' }).fill(group)
    await daiyu.page.getByRole('checkbox', { name: '史湘云' }).check()
    await stage.picture(daiyu.page, 'make-group')
    await daiyu.button('建立').click()
    await daiyu.page.getByRole('region', { name: group, exact: true }).waitFor()
    await xiangyun.page.getByText(`林黛玉邀请你加入「${group}」`).first().waitFor()
    await xiangyun.pane(/申请/)
    await xiangyun.button('同意林黛玉').click()
    await xiangyun.open(group)
    const details = await daiyu.details()
    await details.getByText('史湘云').waitFor()
    await details.getByText('2 人').waitFor()
    await daiyu.page.getByText(`史湘云接受邀请，加入了「${group}」`).waitFor()
  })

  await stage.step('a third one is invited from the details, and refuses', async () => {
    await daiyu.page.getByRole('complementary').getByRole('button', { name: '邀请' }).click()
    await daiyu.page.getByRole('checkbox', { name: '薛宝钗' }).check()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '邀请' }).click()
    await daiyu.page.getByText('已邀请 1 人').waitFor()
    const baochai = new Person(await stage.open('baochai', phone), '薛宝钗')
    await baochai.enter(stage.server.origin)
    await baochai.pane(/申请/)
    await baochai.button('拒绝林黛玉').click()
    await daiyu.page.getByText(`薛宝钗谢绝加入「${group}」`).waitFor()
    await stage.close('baochai')
  })

  await stage.step('they chat in the group', async () => {
    await daiyu.say('今日以菊为题，云妹妹先来。')
    await xiangyun.sees('今日以菊为题，云妹妹先来。')
    await xiangyun.say('圃露庭霜何寂寞，鸿归蛩病可相思。')
    await daiyu.sees('圃露庭霜何寂寞，鸿归蛩病可相思。')
    await daiyu.say('毫端蕴秀临霜写，口齿噙香对月吟。')
    await xiangyun.sees('毫端蕴秀临霜写，口齿噙香对月吟。')
    await daiyu.seesSent('毫端蕴秀临霜写，口齿噙香对月吟。')
  })
}
