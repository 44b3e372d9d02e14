import { equal, until } from '../../steps.mjs'
import { accessible } from '../../accessibility.mjs'
import { Visitor } from '../visitor.mjs'

/** A group in which something is said, edited and recalled while people come and go. */
async function live(server) {
  const tokens = {}
  for (const user of ['tm-olga', 'tm-mia']) tokens[user] = await server.run('token', '--user', user, '--name', user === 'tm-olga' ? 'Olga' : 'Mia')
  let n = 0
  const does = async (user, path, params) => {
    const answer = await fetch(server.origin + path, {
      method: 'POST', headers: { Authorization: `Bearer ${tokens[user]}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ uniqueNo: `tm-${++n}`, ...params }),
    })
    const { code, obj, msg } = await answer.json()
    if (code !== 200) throw new Error(`${path}: ${msg} ${JSON.stringify(obj)}`)
    await new Promise((done) => setTimeout(done, 20)) // times on the slider are to differ
    return obj
  }
  const { groupId } = await does('tm-olga', '/group/addGroup', { groupName: 'Budget', groupImg: '', members: [], joinMode: '9' })
  const say = (user, messageContent) => does(user, '/chat/sendGroupMessage', { groupId, messageContent })
  const first = await say('tm-olga', 'The budget is 100')
  await does('tm-mia', '/group/applyGroup', { groupId })
  const second = await say('tm-mia', 'I have a secret')
  const edit = await does('tm-olga', '/chat/editMessage', { position: first.position, messageContent: 'The budget is 200' })
  await does('tm-mia', '/chat/recallMessage', { position: second.position })
  await does('tm-mia', '/group/quitGroup', { groupId })
  await say('tm-olga', 'She is gone')
  return { conversation: `g|${groupId}`, first: first.position, second: second.position, edit: edit.position }
}

export async function story(stage) {
  let told, ada
  const message = (position) => ada.page.locator(`li[data-position="${position}"]`)
  const struck = (position) => message(position).locator('del').allTextContents()
  const members = async () => (await ada.page.getByRole('region', { name: 'Members' }).locator('tbody tr td:first-child').allTextContents()).map((text) => text.trim())
  const slider = () => ada.page.getByRole('slider')

  await stage.step('time machine: now shows every text, edits and recalls struck through and never hidden', async () => {
    told = await live(stage.server)
    stage.filters = { ...stage.filters, time: { conversation: told.conversation, at: told.edit } }
    ada = await Visitor.enter(stage, 'auditor', 'time')
    await ada.open('time')
    const problems = stage.problems.length
    await ada.page.keyboard.press('/')
    await ada.page.keyboard.type(told.conversation)
    await ada.page.keyboard.press('Enter')
    await ada.because('ticket 12')
    await message(told.first).waitFor()
    stage.problems.length = problems // the browser tells of the 400 that asks for the reason
    equal(await struck(told.first), ['The budget is 100'], 'what was edited away')
    equal((await message(told.first).locator('p.text').textContent()).trim(), 'The budget is 200', 'what stands now')
    equal(await struck(told.second), ['I have a secret'], 'what was recalled')
    await message(told.second).locator('.chip', { hasText: 'recalled by tm-mia' }).waitFor()
    equal(await members(), ['tm-olga'], 'members now')
    await accessible(ada.page, 'time machine')
  })

  await stage.step('time machine: the keyboard goes from event to event, the address keeps the moment, Back undoes a jump', async () => {
    await slider().focus()
    await ada.page.keyboard.press('Home')
    await ada.page.getByText('There were no messages yet').waitFor()
    equal(await members(), ['tm-olga'], 'members at the beginning')
    await ada.page.keyboard.press('ArrowRight')
    await message(told.first).waitFor()
    equal(await struck(told.first), [], 'before the edit')
    equal((await message(told.first).locator('p.text').textContent()).trim(), 'The budget is 100', 'the text of then')
    equal(new URLSearchParams(new URL(ada.page.url()).hash.split('?')[1]).get('at'), told.first, 'the moment in the address')
    await ada.page.keyboard.press('ArrowRight') // Mia comes
    await until('Mia is a member', async () => (await members()).join() === 'tm-mia,tm-olga')
    await ada.page.keyboard.press('ArrowRight')
    await message(told.second).waitFor()
    equal(await struck(told.second), [], 'before the recall')

    await ada.page.getByLabel('Jump to').fill(told.edit)
    await ada.page.keyboard.press('Enter')
    await until('the edit is shown', async () => (await struck(told.first)).join() === 'The budget is 100')
    equal(await message(told.first).getAttribute('class').then((c) => c.includes('chosen')), true, 'the message that the event changed is marked')
    equal(await struck(told.second), [], 'still before the recall')
    await ada.page.reload()
    await message(told.first).waitFor()
    equal(await struck(told.first), ['The budget is 100'], 'after a reload')
    await ada.page.goBack()
    await until('back before the jump', async () => (await struck(told.first)).length === 0)
    await ada.page.goForward()
    await ada.page.getByRole('button', { name: 'Back to now' }).click()
    await until('now', async () => (await struck(told.second)).length === 1)
  })

  await stage.step('time machine: as a member saw it then; the versions are downloaded; what is unclear is refused', async () => {
    await ada.page.getByLabel('Jump to').fill(told.second)
    await ada.page.keyboard.press('Enter')
    await until('before the recall', async () => (await struck(told.second)).length === 0)
    await ada.page.getByLabel('Shown to').selectOption('tm-mia')
    await until('Mia sees what was said while she was there', async () => (await ada.page.locator('li[data-position]').count()) === 1)
    await ada.page.getByLabel('Shown to').selectOption('')
    await ada.page.getByRole('button', { name: 'Back to now' }).click()
    await until('now', async () => (await struck(told.second)).length === 1)
    const { name, text } = await ada.download(ada.page.getByRole('button', { name: 'Download what is listed as CSV' }).first())
    equal([name.endsWith('-then.csv'), text.includes('I have a secret'), text.includes('The budget is 100')], [true, true, true], 'the file')
    await ada.page.getByLabel('Jump to').fill('yesterday')
    await ada.page.keyboard.press('Enter')
    equal(await ada.page.getByLabel('Jump to').getAttribute('aria-invalid'), 'true', 'a moment that is none')
    const problems = stage.problems.length
    await ada.open('time', { conversation: 'g|nowhere' })
    await ada.page.getByRole('alert').getByText('Not found').waitFor()
    stage.problems.length = problems // the browser tells of 404
    await ada.leave()
  })
}
