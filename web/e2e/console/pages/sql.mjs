// SQL: written with completion, run, cancelled, limited, shown, kept and shared.
import { equal, until } from '../../steps.mjs'
import { Visitor } from '../visitor.mjs'

export async function story(stage) {
  let ada, page

  /** Puts a statement in the place of what is written, and runs it. */
  async function run(statement) {
    await write(statement)
    await page.keyboard.press('Control+Enter')
  }
  async function write(statement) {
    const editor = page.getByRole('textbox', { name: 'SQL statement' })
    await editor.click()
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText(statement)
    await page.keyboard.press('Escape')
  }

  await stage.step('the views are listed with comments, found by words, and completed', async () => {
    ada = await Visitor.enter(stage, 'analyst', 'sql')
    page = ada.page
    await ada.open('sql')
    await page.getByLabel('Find views, columns, comments').fill('nickname')
    await page.getByText('users', { exact: true }).first().waitFor()
    equal(await page.locator('summary').filter({ hasText: 'friendships' }).count(), 0, 'views without the word')
    await page.getByLabel('Find views, columns, comments').fill('')
    await page.getByText('Limits:').waitFor()
    await write('SELECT count() AS n FROM ')
    await page.keyboard.type('mess')
    await page.getByRole('option', { name: 'messages' }).first().click()
    await page.getByRole('textbox', { name: 'SQL statement' }).getByText('messages').waitFor()
    await page.keyboard.press('Control+Enter')
    await page.getByRole('columnheader', { name: 'n (UInt64)' }).waitFor()
  })

  await stage.step('a result is typed, and says that it goes on', async () => {
    await page.getByRole('combobox', { name: /^show at most/ }).selectOption('100')
    await run("SELECT arrayJoin(range(5000)) AS n, if(n = 1, NULL, 'a' || toString(n)) AS word")
    await page.getByRole('columnheader', { name: 'n (UInt' }).waitFor()
    await page.getByText('Only the first 100 rows are shown').waitFor()
    await page.getByRole('cell', { name: 'NULL', exact: true }).waitFor() // which the empty text is not
    const csv = await ada.download(page.getByRole('button', { name: 'Download the whole result as CSV' }))
    equal(csv.text.trim().split('\n').length, 5001, 'lines of the download')
  })

  await stage.step('a mistake is told in the engine’s words', async () => {
    const problems = stage.problems.length
    await run('SELECT nope FROM messages')
    await page.getByRole('alert').getByText(/Unknown expression identifier/).waitFor()
    stage.problems.length = problems // the browser tells of the status
  })

  await stage.step('parameters are asked for', async () => {
    await write('SELECT {x:UInt8} + 1 AS y')
    await page.getByRole('group', { name: 'Parameters' }).getByRole('textbox').fill('41')
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await page.getByRole('cell', { name: '42' }).waitFor()
  })

  await stage.step('a long one shows how far it is, and is cancelled', async () => {
    await run('SELECT sum(sipHash64(number)) FROM numbers(100000000000)')
    await page.getByText(/^[\d,.]+ of 100,000,000,000 rows \([\d.,]+ \w+\) read in/).waitFor()
    const first = await page.getByRole('progressbar').getAttribute('value')
    await until('the bar grows', async () => Number(await page.getByRole('progressbar').getAttribute('value')) > Number(first))
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Run', exact: true }).waitFor()
  })

  await stage.step('a result is drawn: over time as lines, else as bars', async () => {
    await run("SELECT toDate('2026-11-01') + arrayJoin(range(30)) AS day, toDayOfMonth(day) * 3 AS messages")
    await page.getByRole('columnheader', { name: 'day (Date)' }).waitFor()
    await page.getByRole('button', { name: 'Chart', exact: true }).click()
    await page.getByRole('region', { name: 'Result' }).locator('canvas').waitFor()
    await run("SELECT 'kind ' || toString(arrayJoin(range(3))) AS kind, 7 AS messages")
    await page.getByRole('rowheader', { name: 'kind 2' }).waitFor()
    await page.getByRole('region', { name: 'Result' }).getByRole('button', { name: 'Table', exact: true }).click()
  })

  await stage.step('what was run stands in the address and in the history', async () => {
    const q = new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('q')
    equal(q?.startsWith("SELECT 'kind '"), true, 'the address')
    await page.reload()
    await page.getByRole('textbox', { name: 'SQL statement' }).getByText('kind').first().waitFor()
    await page.getByText('History', { exact: true }).click()
    await page.getByRole('button', { name: /^SELECT \{x:UInt8\}/ }).click()
    await until('an old statement is back', async () => (await page.getByRole('textbox', { name: 'SQL statement' }).textContent())?.includes('{x:UInt8}') === true)
    await ada.leave()
  })

  stage.filters = { ...stage.filters, sql: { q: "SELECT kind, count() AS messages, uniqExact(sender) AS users\nFROM messages\nGROUP BY kind -- 成对与群" } }
}
