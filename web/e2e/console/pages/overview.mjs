import { accessible } from '../../accessibility.mjs'
import { until } from '../../steps.mjs'
import { say } from '../chat.mjs'
import { Visitor } from '../visitor.mjs'

export async function story(stage) {
  await stage.step('the overview: all is well, who answers, how far the read models are', async () => {
    const ada = await Visitor.enter(stage, 'analyst', 'overview')
    const { page } = ada
    await ada.open('overview')
    await page.getByRole('heading', { name: 'All is well' }).waitFor()
    await page.getByText(`127.0.0.1:${stage.server.port}`).waitFor()
    for (const name of ['history', 'search', 'feed']) await page.getByRole('region', { name: 'Read models' }).getByRole('cell', { name, exact: true }).waitFor()
    await page.getByRole('region', { name: 'Read models' }).getByText('up to date').first().waitFor()
    await ada.leave()
  })

  await stage.step('its figures move with what people do, are shown as a table too, and can be kept', async () => {
    const ada = await Visitor.enter(stage, 'admin', 'figures')
    const { page } = ada
    await say(stage.server, 'baoyu', 'daiyu', '妹妹在看什么书？')
    const figure = page.locator('dl div', { hasText: 'Requests' }).locator('dd').first()
    await until('requests are counted', async () => Number(await figure.textContent()) > 0, 30_000)
    await page.getByRole('img', { name: /From a request to its result/ }).locator('canvas').waitFor({ timeout: 30_000 })
    const chart = page.locator('figure', { hasText: 'Requests, events and pushes' })
    await chart.getByRole('button', { name: 'Table' }).click()
    await accessible(page, 'the overview with a table')
    const file = await ada.download(chart.getByRole('button', { name: /CSV/ }))
    if (file.name !== 'lishi-rates.csv' || !/^\ufefftime,Requests,Events,Pushes\r\n\d{4}-\d\d-\d\dT/.test(file.text)) throw new Error(`${file.name}: ${file.text.slice(0, 200)}`)
    await ada.leave()
  })

  await stage.step('a node that does not answer is told of, what was seen stays', async () => {
    const ada = await Visitor.enter(stage, 'admin', 'away')
    const { page } = ada
    await page.getByRole('heading', { name: 'All is well' }).waitFor()
    const problems = stage.problems.length
    await page.route('**/api/overview', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"reason":"unavailable","message":"away"}' }))
    await page.getByRole('alert').getByText('No answer can be given now').waitFor()
    await page.getByRole('heading', { name: 'All is well' }).waitFor()
    await page.unroute('**/api/overview')
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('alert').waitFor({ state: 'detached' })
    stage.problems.length = problems
    await ada.leave()
  })
}
