// What those who lead a group can do in it, and what the others are offered.
import { accessible } from '../accessibility.mjs'
import { t } from '../language.mjs'
import { Person } from '../person.mjs'
import { desktop, phone } from '../stage.mjs'
import { equal, until } from '../steps.mjs'
import { group } from './meeting.mjs'

const notice = '每月初二、十六开社，风雨无阻。社规见 https://example.com/rules ，迟到者罚；题目由社长先一日送到各处，作不出的也要到场评诗。'

export async function leading(stage) {
  const { daiyu, xiangyun } = stage
  let baoyu
  const details = (person) => person.page.getByRole('complementary', { name: '详情' })
  const offered = async (person, name) => {
    const button = details(person).getByRole('button', { name: `${name} 的操作` })
    if ((await button.count()) === 0) return []
    await button.click()
    const items = (await person.page.getByRole('menuitem').allInnerTexts()).map((text) => text.trim())
    await person.page.keyboard.press('Escape')
    return items
  }
  const does = async (person, name, action) => {
    await details(person).getByRole('button', { name: `${name} 的操作` }).click()
    await person.page.getByRole('menuitem', { name: action }).click()
  }

  await stage.step('the owner invites a third one with a note, who reads English on a phone', async () => {
    await daiyu.open(group)
    await daiyu.details()
    await xiangyun.open(group)
    await xiangyun.details()
    await details(daiyu).getByRole('button', { name: '邀请' }).click()
    await daiyu.page.getByRole('checkbox', { name: '贾宝玉' }).check()
    await daiyu.page.getByRole('textbox', { name: '邀请留言' }).fill('二哥哥快来')
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '邀请' }).click()
    baoyu = await stage.open('baoyu', { ...phone, locale: 'en-GB' })
    await baoyu.goto(stage.server.origin)
    await baoyu.getByRole('button', { name: 'Be 贾宝玉' }).tap()
    await baoyu.getByRole('tab', { name: /Requests/ }).tap()
    await baoyu.getByText('二哥哥快来').waitFor()
    await baoyu.getByRole('listitem').filter({ hasText: '二哥哥快来' }).getByRole('button', { name: 'Add a note' }).tap()
    await baoyu.getByRole('textbox', { name: 'Note' }).fill('这就来')
    await accessible(baoyu, 'an invitation with a note')
    await stage.picture(baoyu, 'phone-request')
    await baoyu.getByRole('button', { name: 'Accept 林黛玉' }).tap()
    await daiyu.page.getByText('“这就来”').waitFor()
    await details(daiyu).getByText('贾宝玉').waitFor()
  })

  await stage.step('only what a role allows is offered', async () => {
    equal(await offered(daiyu, '枕霞旧友'), ['设为管理员', '禁言', '转让群主', '移出'].map(t), 'to the owner')
    equal(await offered(xiangyun, '贾宝玉'), [], 'to a member')
    for (const name of ['编辑群资料', '邀请', '解散群聊']) equal(await details(xiangyun).getByRole('button', { name }).count(), 0, `${name}, to a member`)
    equal(await details(daiyu).getByRole('button', { name: '退出群聊' }).count(), 0, 'quitting, to the owner')
    await does(daiyu, '枕霞旧友', '设为管理员')
    await details(xiangyun).getByRole('button', { name: '编辑群资料' }).waitFor()
    await until('an admin is offered what concerns members', async () => JSON.stringify(await offered(xiangyun, '贾宝玉')) === JSON.stringify(['禁言', '移出'].map(t)))
    equal(await offered(xiangyun, '林黛玉'), [], 'to an admin, of the owner')
  })

  await stage.step('an admin changes name, notice, picture and who may join; all see it at once', async () => {
    await details(xiangyun).getByRole('button', { name: '编辑群资料' }).click()
    const dialog = xiangyun.page.getByRole('dialog')
    equal(await dialog.getByRole('button', { name: '保存' }).isDisabled(), true, 'saving nothing')
    await dialog.getByRole('textbox', { name: '群名称' }).fill('蟹爪菊社')
    await dialog.getByRole('textbox', { name: /公告/ }).fill(notice)
    await dialog.getByRole('combobox', { name: '入群方式' }).selectOption(t('任何人可直接加入'))
    await dialog.getByRole('radio', { name: '🦀' }).check()
    for (const colorScheme of ['dark', 'light']) {
      await xiangyun.page.emulateMedia({ colorScheme })
      await accessible(xiangyun.page, `editing a group, ${colorScheme}`)
      await stage.picture(xiangyun.page, `edit-group-${colorScheme}`)
    }
    await dialog.getByRole('button', { name: '保存' }).click()
    await dialog.waitFor({ state: 'detached' })
    for (const person of [daiyu, xiangyun]) {
      await person.row('蟹爪菊社').waitFor()
      const shown = person.page.getByRole('region', { name: '公告', exact: true }).first()
      await shown.getByText('每月初二').waitFor()
      await until('its picture', async () => (await person.row('蟹爪菊社').locator('.avatar').getAttribute('data-initials')) === '🦀')
    }
    await details(daiyu).getByText('任何人可直接加入').waitFor()
    await daiyu.button('看全文').click()
    await stage.picture(daiyu.page, 'notice')
    await daiyu.button('收起').click()
  })

  await stage.step('who is muted is told until when and can’t write; the members see it; it is lifted', async () => {
    await baoyu.getByRole('tab', { name: /Chats/ }).tap()
    await baoyu.getByRole('list', { name: 'Chats' }).getByRole('button', { name: /蟹爪菊社/ }).tap()
    await baoyu.getByRole('textbox', { name: /^Message/ }).fill('还没说完的话')
    await does(xiangyun, '贾宝玉', '禁言')
    const dialog = xiangyun.page.getByRole('dialog')
    await dialog.getByRole('spinbutton').fill('0')
    equal(await dialog.getByRole('button', { name: '禁言' }).isDisabled(), true, 'muting for no time')
    await dialog.getByRole('button', { name: '10 分钟' }).click()
    await accessible(xiangyun.page, 'muting')
    await stage.picture(xiangyun.page, 'mute')
    await dialog.getByRole('button', { name: '禁言' }).click()
    await baoyu.getByText(/You are muted until/).waitFor()
    equal(await baoyu.getByRole('textbox').count(), 0, 'the writing field of who is muted')
    await accessible(baoyu, 'muted')
    await stage.picture(baoyu, 'phone-muted')
    for (const person of [daiyu, xiangyun]) await details(person).getByText(/禁言至/).waitFor()
    await stage.picture(daiyu.page, 'muted-member')
    await does(daiyu, '贾宝玉', '解除禁言')
    await baoyu.getByRole('textbox', { name: /^Message/ }).waitFor()
    equal(await baoyu.getByRole('textbox').inputValue(), '还没说完的话', 'the draft')
    await details(xiangyun).getByText(/禁言至/).waitFor({ state: 'detached' })
  })

  await stage.step('somebody joins an open group at once, and is removed', async () => {
    const baochai = new Person(await stage.open('baochai', desktop), '薛宝钗')
    await baochai.enter(stage.server.origin)
    const id = await details(daiyu).locator('code').innerText()
    await baochai.choose('加群')
    await baochai.page.getByRole('textbox', { name: '群 ID' }).fill(id)
    await baochai.button('查找').click()
    await baochai.button('申请加入').click()
    await details(daiyu).getByText('薛宝钗').waitFor()
    await does(xiangyun, '薛宝钗', '移出')
    await xiangyun.page.getByRole('dialog').getByRole('button', { name: '移出' }).click()
    await baochai.page.getByText('你被移出了「蟹爪菊社」').waitFor()
    await details(daiyu).getByText('薛宝钗').waitFor({ state: 'detached' })
    await stage.close('baochai')
  })

  await stage.step('the group is handed over and back, and is called as before', async () => {
    await does(daiyu, '枕霞旧友', '转让群主')
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '转让群主' }).click()
    await details(xiangyun).getByRole('button', { name: '解散群聊' }).waitFor()
    await details(daiyu).getByRole('button', { name: '退出群聊' }).waitFor()
    await does(xiangyun, '林黛玉', '转让群主')
    await xiangyun.page.getByRole('dialog').getByRole('button', { name: '转让群主' }).click()
    await details(daiyu).getByRole('button', { name: '解散群聊' }).waitFor()
    await does(daiyu, '枕霞旧友', '取消管理员')
    await details(xiangyun).getByRole('button', { name: '编辑群资料' }).waitFor({ state: 'detached' })
    await details(daiyu).getByRole('button', { name: '编辑群资料' }).click()
    const dialog = daiyu.page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: '群名称' }).fill(group)
    await dialog.getByRole('textbox', { name: /公告/ }).fill('')
    await dialog.getByRole('button', { name: '保存' }).click()
    await xiangyun.row(group).waitFor()
    await xiangyun.page.getByRole('region', { name: '公告', exact: true }).first().waitFor({ state: 'detached' })
    await does(daiyu, '贾宝玉', '移出')
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '移出' }).click()
    await baoyu.getByText(/You were removed/).first().waitFor()
    await stage.close('baoyu')
  })
}
