// Words that answer words, name people and lead elsewhere.
import { accessible } from '../accessibility.mjs'
import { either } from '../language.mjs'
import { equal, until } from '../steps.mjs'
import { group } from './meeting.mjs'

export async function answering(stage) {
  const { daiyu, xiangyun } = stage

  await stage.step('one answers a message; the answer leads to it, as it was edited and recalled', async () => {
    await daiyu.open(group)
    await xiangyun.open(group)
    await daiyu.say('问菊：孤标傲世偕谁隐？')
    await xiangyun.sees('问菊：孤标傲世偕谁隐？')
    await xiangyun.choosesFor('问菊：孤标傲世偕谁隐？', '回复')
    await until('the field has the focus', () => xiangyun.field.evaluate((element) => element === document.activeElement))
    await xiangyun.page.getByText('回复 林黛玉').waitFor()
    await xiangyun.field.press('Escape')
    equal(await xiangyun.page.getByText('回复 林黛玉').count(), 0, 'what is answered after Esc')
    await xiangyun.choosesFor('问菊：孤标傲世偕谁隐？', '回复')
    await xiangyun.say('与梅花同隐。')
    const quote = (person) => person.said('与梅花同隐。').getByRole('button', { name: either(/^回复/, /^In reply to/) })
    for (const person of [xiangyun, daiyu]) await quote(person).getByText('问菊：孤标傲世偕谁隐？').waitFor()
    await daiyu.choosesFor('问菊：孤标傲世偕谁隐？', '编辑')
    await daiyu.page.getByRole('textbox', { name: '编辑消息' }).fill('问菊：一样花开为底迟？')
    await daiyu.page.keyboard.press('Enter')
    for (const person of [xiangyun, daiyu]) await quote(person).getByText('问菊：一样花开为底迟？').waitFor()
    // Far away the quote is asked for, and leads there.
    for (let i = 0; i < 60; i++) await daiyu.say(`菊谱第${i + 1}品`)
    await daiyu.say('说回那一句')
    await daiyu.seesSent('说回那一句', 30_000)
    await xiangyun.sees('说回那一句')
    await xiangyun.log.evaluate((log) => log.scrollTo(0, 0))
    await xiangyun.choosesFor('与梅花同隐。', '回复')
    await xiangyun.say('还是与梅花同隐。')
    await xiangyun.seesSent('还是与梅花同隐。')
    await xiangyun.page.reload()
    const far = xiangyun.said('还是与梅花同隐。').getByRole('button', { name: either(/^回复/, /^In reply to/) })
    await far.getByText('与梅花同隐。', { exact: true }).waitFor()
    equal((await xiangyun.texts()).includes('与梅花同隐。'), false, 'the page holds the message that is answered')
    await stage.picture(xiangyun.page, 'reply')
    await far.click()
    const there = xiangyun.said('与梅花同隐。').first()
    await until('it is in sight', () => there.evaluate((element) => element.getBoundingClientRect().top > 60 && element.getBoundingClientRect().bottom < innerHeight))
    await daiyu.log.evaluate((log) => log.scrollTo(0, 0))
    await daiyu.choosesFor('问菊：一样花开为底迟？', '撤回')
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '撤回' }).click()
    await quote(xiangyun).getByText('此消息已撤回').waitFor()
  })

  await stage.step('somebody is named by keys alone; who is named is told, in the log and in the list, also after a reload', async () => {
    await xiangyun.open('林黛玉')
    await daiyu.button('回到最新').click()
    await daiyu.field.focus()
    await daiyu.page.keyboard.type('请 @枕')
    const picker = daiyu.page.getByRole('listbox', { name: '提到谁' })
    await picker.getByRole('option', { name: '枕霞旧友' }).waitFor()
    await accessible(daiyu.page, 'the list of names')
    await stage.picture(daiyu.page, 'mention')
    await daiyu.page.keyboard.press('Escape')
    await picker.waitFor({ state: 'detached' })
    await daiyu.page.keyboard.press('Backspace')
    await daiyu.page.keyboard.press('Backspace')
    await daiyu.page.keyboard.type('@')
    await picker.waitFor()
    await daiyu.page.keyboard.press('ArrowDown')
    await daiyu.page.keyboard.press('ArrowUp')
    await daiyu.page.keyboard.press('Enter')
    await daiyu.page.keyboard.type('来评一评')
    equal(await daiyu.field.inputValue(), '请 @枕霞旧友 来评一评', 'what is written')
    await daiyu.page.keyboard.press('Enter')
    await daiyu.seesSent('请 @枕霞旧友 来评一评')
    await xiangyun.row(group).getByText('[有人@你]').waitFor()
    await xiangyun.page.reload()
    await xiangyun.row(group).getByText('[有人@你]').waitFor()
    await stage.picture(xiangyun.page, 'mentioned')
    await xiangyun.open(group)
    await xiangyun.said('请 @枕霞旧友 来评一评').getByText('提到了你').waitFor()
    await xiangyun.row(group).getByText('[有人@你]').waitFor({ state: 'detached' })
    await xiangyun.log.getByRole('article').last().scrollIntoViewIfNeeded()
    for (const colorScheme of ['dark', 'light']) {
      await xiangyun.page.emulateMedia({ colorScheme })
      await accessible(xiangyun.page, `a mention, ${colorScheme}`)
      await stage.picture(xiangyun.page, `mention-${colorScheme}`)
    }
  })

  await stage.step('Enter of an input method neither sends nor takes a name', async () => {
    const keys = await daiyu.page.context().newCDPSession(daiyu.page)
    await daiyu.field.fill('')
    await daiyu.page.keyboard.type('@')
    await daiyu.page.getByRole('listbox', { name: '提到谁' }).waitFor()
    await keys.send('Input.imeSetComposition', { text: 'zhen', selectionStart: 4, selectionEnd: 4 })
    await keys.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 })
    await keys.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 })
    await keys.send('Input.insertText', { text: '枕' })
    equal(await daiyu.field.inputValue(), '@枕', 'the field after the composition')
    await daiyu.page.keyboard.press('Tab')
    equal(await daiyu.field.inputValue(), '@枕霞旧友 ', 'the field after Tab')
    await daiyu.field.fill('')
  })

  await stage.step('links open elsewhere and tell nothing; what only looks like one is text', async () => {
    const text = '看 https://example.com/a?b=1#c，别信 javascript:alert(1) 与 https://bank.com@evil.example/ <a href="https://x.example">'
    await daiyu.say(text)
    await xiangyun.sees(text)
    const links = xiangyun.said(text).getByRole('link')
    equal(await links.evaluateAll((all) => all.map((link) => [link.textContent, link.href, link.target, link.rel, link.referrerPolicy])), [
      ['https://example.com/a?b=1#c', 'https://example.com/a?b=1#c', '_blank', 'noopener noreferrer nofollow', 'no-referrer'],
      ['https://x.example', 'https://x.example/', '_blank', 'noopener noreferrer nofollow', 'no-referrer'],
    ], 'the links')
  })

  await stage.step('what others say is read out politely, what is paged in is not', async () => {
    const announced = xiangyun.page.getByRole('log', { name: '新消息播报' })
    equal(await announced.getAttribute('aria-live'), 'polite', 'how it is read out')
    equal(await xiangyun.log.getAttribute('aria-live'), 'off', 'the log itself')
    await daiyu.say('这一句读给你听')
    await until('it is read out', async () => (await announced.innerText()).includes(either('林黛玉说：这一句读给你听', '林黛玉 says: 这一句读给你听')))
    await xiangyun.page.reload()
    await xiangyun.sees('这一句读给你听')
    equal(await announced.innerText(), '', 'what is read out of the past')
  })
}
