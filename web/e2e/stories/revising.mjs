// What was said is said better, or taken back, and the other one sees it.
import { accessible } from '../accessibility.mjs'
import { t } from '../language.mjs'
import { equal, until } from '../steps.mjs'
import { group } from './meeting.mjs'

const recalled = '此消息已撤回' // in lists; the log says by whom

export async function revising(stage) {
  const { daiyu, xiangyun } = stage

  await stage.step('an edited message shows its new text to the other one, in the log and in the list', async () => {
    await daiyu.open('枕霞旧友')
    await xiangyun.open('林黛玉')
    await daiyu.say('明日己时来潇湘馆')
    await xiangyun.sees('明日己时来潇湘馆')
    await daiyu.field.fill('写到一半的话')
    await daiyu.choosesFor('明日己时来潇湘馆', '编辑')
    const field = daiyu.page.getByRole('textbox', { name: '编辑消息' })
    await until('the field has the focus', () => field.evaluate((element) => element === document.activeElement))
    equal(await field.inputValue(), '明日己时来潇湘馆', 'what is being edited')
    await field.fill('别的话')
    await field.press('Escape')
    equal(await daiyu.field.inputValue(), '写到一半的话', 'the draft after Esc')
    await daiyu.sees('明日己时来潇湘馆')

    await daiyu.choosesFor('明日己时来潇湘馆', '编辑')
    await field.fill('明日巳时来潇湘馆')
    await field.press('Enter')
    for (const person of [daiyu, xiangyun]) {
      await person.sees('明日巳时来潇湘馆')
      await person.said('明日巳时来潇湘馆').getByText('编辑').waitFor()
      equal(await person.said('明日己时来潇湘馆').count(), 0, 'the old text')
    }
    await xiangyun.row('林黛玉').getByText('明日巳时来潇湘馆').waitFor()
    equal(await daiyu.field.inputValue(), '写到一半的话', 'the draft after the edit')
    await daiyu.field.fill('')
    await xiangyun.page.reload()
    await xiangyun.said('明日巳时来潇湘馆').getByText('编辑').waitFor()
  })

  await stage.step('a recalled message is gone for the other one, and is not unread', async () => {
    await xiangyun.open(group)
    await daiyu.say('这句说错了')
    await xiangyun.row('林黛玉').getByText('1 条未读').waitFor({ state: 'attached' })
    await daiyu.choosesFor('这句说错了', '撤回')
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '撤回' }).click()
    await daiyu.log.getByText('你撤回了一条消息').waitFor()
    await xiangyun.row('林黛玉').getByText(recalled).waitFor()
    await xiangyun.row('林黛玉').getByText('条未读').waitFor({ state: 'detached' })
    await xiangyun.page.reload()
    await xiangyun.row('林黛玉').getByText(recalled).waitFor()
    await xiangyun.open('林黛玉')
    await xiangyun.log.getByText('林黛玉撤回了一条消息').waitFor()
    for (const { page } of [daiyu, xiangyun]) equal(await page.getByText('这句说错了').count(), 0, 'the recalled text')
    equal(await daiyu.log.getByRole('article').last().getByRole('button').count(), 0, 'menus on what was recalled')
  })

  await stage.step('words are searched, and shown where they were said', async () => {
    const { page } = xiangyun
    const box = page.getByRole('searchbox', { name: '搜索聊天与消息' })
    const hits = page.getByRole('list', { name: '聊天记录', exact: true }).getByRole('button')
    await box.fill('说错了')
    await page.getByText('没有找到消息').waitFor() // it was recalled
    await box.fill('第9句：一字一')
    await hits.waitFor()
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme })
      await hits.click()
      await until('it is in sight', () => xiangyun.said('第9句：一字一句都记着').isVisible())
      await accessible(page, `what was found, ${colorScheme}`)
      await stage.picture(page, `search-${colorScheme}`)
    }
    await box.fill('')
    // From far away too: the first page does not hold it.
    await page.reload()
    await xiangyun.sees('明日巳时来潇湘馆')
    equal((await xiangyun.texts()).includes('云妹妹来了？😀'), false, 'the first page holds the oldest word')
    await box.fill('云妹妹来')
    await hits.click()
    await xiangyun.sees('云妹妹来了？😀')
    await until('it is in sight', () => xiangyun.said('云妹妹来了？😀').evaluate((element) => element.getBoundingClientRect().top > 60 && element.getBoundingClientRect().bottom < innerHeight))
    await box.fill('')
    await xiangyun.button('回到最新').click()
    await until('the newest is in sight', () => xiangyun.log.getByText('林黛玉撤回了一条消息').isVisible())
  })

  await stage.step('without a mouse: from the log to a message’s menu, and edited', async () => {
    const { page } = daiyu
    await daiyu.say('先说的')
    await daiyu.say('后说的')
    await daiyu.seesSent('后说的')
    await daiyu.log.focus()
    await page.keyboard.press('Tab')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    const menu = page.getByRole('menu')
    await menu.waitFor()
    await page.keyboard.press('Escape')
    await menu.waitFor({ state: 'detached' })
    await page.keyboard.press('Enter')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await until('the field has the focus', () => page.getByRole('textbox', { name: '编辑消息' }).evaluate((element) => element === document.activeElement))
    await page.keyboard.press('End')
    await page.keyboard.type('，又添了一笔')
    await page.keyboard.press('Enter')
    await xiangyun.sees('先说的，又添了一笔')
    await xiangyun.sees('后说的')
  })

  await stage.step('a group’s owner recalls another’s message; a refusal says why', async () => {
    await daiyu.open(group)
    await xiangyun.open(group)
    await xiangyun.say('社长，这一句请裁夺')
    await daiyu.sees('社长，这一句请裁夺')
    await daiyu.say('社长的话')
    await xiangyun.sees('社长的话')
    await xiangyun.said('社长的话').hover()
    await xiangyun.said('社长的话').getByRole('button', { name: '更多操作' }).click()
    equal(await xiangyun.page.getByRole('menuitem').allInnerTexts(), ['回复', '复制文字'].map(t), 'a member’s menu on another’s message')
    await xiangyun.page.keyboard.press('Escape')

    await daiyu.said('社长，这一句请裁夺').hover()
    await daiyu.said('社长，这一句请裁夺').getByRole('button', { name: '更多操作' }).click()
    equal(await daiyu.page.getByRole('menuitem').allInnerTexts(), ['回复', '复制文字', '撤回'].map(t), 'an owner’s menu on another’s message')
    for (const colorScheme of ['dark', 'light']) {
      await daiyu.page.emulateMedia({ colorScheme })
      await accessible(daiyu.page, `a message’s menu, ${colorScheme}`)
      await stage.picture(daiyu.page, `message-menu-${colorScheme}`)
    }
    await xiangyun.choosesFor('社长，这一句请裁夺', '撤回')
    await daiyu.page.getByRole('menuitem', { name: '撤回' }).click()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '撤回' }).click()
    await xiangyun.log.getByText('林黛玉撤回了你的一条消息').waitFor()
    await daiyu.log.getByText('你撤回了枕霞旧友的一条消息').waitFor()
    const dialog = xiangyun.page.getByRole('dialog')
    await dialog.getByRole('button', { name: '撤回' }).click()
    await dialog.getByText('与现有状态冲突').waitFor()
    await xiangyun.page.keyboard.press('Escape')

    await daiyu.choosesFor('社长的话', '编辑')
    for (const colorScheme of ['dark', 'light']) {
      await daiyu.page.emulateMedia({ colorScheme })
      await accessible(daiyu.page, `a message being edited and one recalled, ${colorScheme}`)
      await stage.picture(daiyu.page, `editing-${colorScheme}`)
    }
    await daiyu.page.getByRole('textbox', { name: '编辑消息' }).press('Escape')
  })
}
