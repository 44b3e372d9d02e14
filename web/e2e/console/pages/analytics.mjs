// Figures: counted over an import whose every message is known.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, until } from '../../steps.mjs'
import { Visitor } from '../visitor.mjs'

// In Shanghai, whose clock an import has: a Monday and a Tuesday.
const said = [
  { time: '2026-11-02 10:00:00', from: 'ann', to: 'bob', text: 'are you there?' },
  { time: '2026-11-02 10:05:00', from: 'bob', to: 'ann', text: 'yes' },
  { time: '2026-11-02 10:06:00', from: 'ann', to: 'bob', text: 'good' },
  { time: '2026-11-03 09:00:00', from: 'ann', group: 'tea', text: 'tea?' },
  { time: '2026-11-03 09:30:00', from: 'cat', group: 'tea', text: 'coffee' },
]
const week = { from: '2026-10-31T16:00:00.000Z', to: '2026-11-07T16:00:00.000Z', zone: 'Asia/Shanghai' }

export async function story(stage) {
  const server = await stage.another('figures')
  let ada, page
  const cells = async (day) => (await page.getByRole('article', { name: 'Messages' }).getByRole('row').filter({ hasText: day }).getByRole('cell').allTextContents()).map((text) => text.trim())
  const become = (what, day, wanted) => until(what, async () => (await cells(day)).join() === wanted.join())

  await stage.step('an import is counted by day, and the chart is a table too', async () => {
    const file = join(server.data, 'chat.jsonl')
    writeFileSync(file, said.map((line) => JSON.stringify(line)).join('\n'))
    await server.run('import', file)
    await server.start()
    ada = await Visitor.enter(stage, 'analyst', 'figures', { server })
    page = ada.page
    await ada.open('analytics', week)
    const messages = page.getByRole('article', { name: 'Messages' })
    await messages.locator('canvas').waitFor()
    await messages.getByRole('button', { name: 'Table' }).click()
    equal(await cells('2026-11-02'), ['2026-11-02', '3', '0'], 'Monday')
    equal(await cells('2026-11-03'), ['2026-11-03', '0', '2'], 'Tuesday')
    equal(await messages.getByRole('row').count(), 8, 'rows, days without messages too')
  })

  await stage.step('the heat map, the groups and the zone', async () => {
    const hours = page.getByRole('article', { name: 'Hours of the week' })
    await hours.getByTitle('Monday, 10 o’clock: 3 messages').waitFor()
    await page.getByRole('article', { name: 'Top groups' }).getByRole('row', { name: 'tea' }).waitFor()
    await page.getByLabel('Time zone').selectOption('UTC')
    await hours.getByTitle('Monday, 2 o’clock: 3 messages').waitFor()
    await page.getByLabel('Time zone').selectOption('Asia/Shanghai')
    await hours.getByTitle('Monday, 10 o’clock: 3 messages').waitFor()
  })

  await stage.step('choices stand in the address: a period, a group, and Back', async () => {
    await page.getByLabel('Period').selectOption('week')
    await page.getByRole('article', { name: 'Messages' }).getByRole('row').filter({ hasText: 'week of 2026-11-02' }).waitFor()
    await page.getByLabel('Group', { exact: true }).fill('tea')
    await page.keyboard.press('Enter')
    await become('only the group counts', '2026-11-02', ['week of 2026-11-02', '0', '2'])
    equal(new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('group'), 'tea', 'the address')
    await page.goBack()
    await become('back takes the group away', '2026-11-02', ['week of 2026-11-02', '3', '2'])
    await page.goBack()
  })

  await stage.step('a figure is downloaded as CSV and as Parquet', async () => {
    const csv = await ada.download(page.getByRole('button', { name: 'Download “Messages” as CSV' }))
    equal([csv.name, csv.text.split('\n')[0], csv.text.split('\n').filter((line) => line.includes('2026-11-02'))[0]], ['lishi-messages.csv', '"period","messages","in_pairs","in_groups","conversations","since_edited","since_recalled","by_import"', '"2026-11-02",3,3,0,1,0,0,3'], 'the CSV')
    const parquet = await ada.download(page.getByRole('button', { name: 'Download “Messages” as Parquet' }))
    equal([parquet.name, parquet.text.slice(0, 4)], ['lishi-messages.parquet', 'PAR1'], 'the Parquet')
  })

  await stage.step('its SQL opens on the page of SQL and gives the same there', async () => {
    await page.getByRole('article', { name: 'Messages' }).getByRole('link', { name: 'Open in SQL' }).click()
    await page.getByRole('heading', { level: 1, name: 'SQL' }).waitFor()
    await page.getByRole('textbox', { name: 'SQL statement' }).getByText('FROM messages').waitFor()
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await page.getByRole('row').filter({ hasText: '2026-11-02' }).filter({ hasText: '3' }).waitFor()
    await ada.leave()
  })

  await stage.step('an auditor is asked why', async () => {
    const problems = stage.problems.length
    const eve = await Visitor.enter(stage, 'auditor', 'why', { server })
    await eve.page.goto(`${server.console}/#/analytics?${new URLSearchParams(week)}`)
    await eve.because('ticket 4711')
    await eve.page.getByRole('article', { name: 'Messages' }).locator('canvas').waitFor()
    await eve.leave()
    stage.problems.length = problems // the browser tells of the 400 that asks why
  })

  await server.kill()
}
