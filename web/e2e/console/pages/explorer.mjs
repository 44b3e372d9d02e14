import { accessible } from '../../accessibility.mjs'
import { equal } from '../../steps.mjs'
import { ask, say } from '../chat.mjs'
import { Visitor } from '../visitor.mjs'

export async function story(stage) {
  const { server } = stage
  let ada

  await stage.step('an auditor gives a reason once, then sees the latest conversations', async () => {
    ada = await Visitor.enter(stage, 'auditor')
    const problems = stage.problems.length
    await ada.page.getByRole('navigation').getByRole('link', { name: 'Explorer' }).click()
    await ada.page.getByRole('dialog', { name: 'Why do you look?' }).waitFor()
    await accessible(ada.page, 'the reason dialog')
    await ada.because('工单 4711')
    await ada.page.getByRole('cell', { name: /海棠诗社/ }).waitFor()
    stage.problems.length = problems // the browser tells of the first answer
    await ada.page.getByText('Reason: 工单 4711').waitFor()
  })

  await stage.step('from a name to a stream, to an event, to its cause and back, by the keyboard', async () => {
    const { page } = ada
    const sent = await say(server, 'baochai', 'daiyu', '菊花诗我已写成。')
    const { position } = sent.obj
    await ask(server, 'baochai', '/chat/editMessage', { position, messageContent: '菊花诗我已写成，请你改。' })
    await page.locator('body').press('/')
    await page.keyboard.type('宝钗')
    await page.keyboard.press('Enter')
    await page.getByRole('cell', { name: '薛宝钗' }).first().waitFor()
    equal(new URL(page.url()).hash, '#/explorer?q=%E5%AE%9D%E9%92%97', 'the search stands in the address')
    await ada.open('explorer', { stream: 'p|baochai|daiyu' })
    await page.getByText('薛宝钗 – 林黛玉').waitFor()
    await page.getByRole('region', { name: /Events of the stream/ }).getByText('菊花诗我已写成。').waitFor()
    await accessible(page, 'a stream')
    await page.getByRole('row', { name: /菊花诗我已写成。/ }).getByRole('link').first().press('Enter')
    await page.getByRole('heading', { name: `${position} message.sent` }).waitFor()
    for (const text of ['lishi.message.sent.v1', '薛宝钗 (baochai)', 'valid']) await page.getByText(text, { exact: true }).first().waitFor()
    await page.getByText('As it stands in the log').click()
    await page.getByText('ce_recordedtime').waitFor()
    await accessible(page, 'an event')
    await page.locator('section', { has: page.getByRole('heading', { name: 'Effects' }) }).getByRole('listitem').filter({ hasText: 'message.edited' }).getByRole('link').click()
    await page.locator('section', { has: page.getByRole('heading', { name: 'Causes' }) }).getByRole('link', { name: position }).click()
    await page.getByRole('heading', { name: `${position} message.sent` }).waitFor()
    await page.getByRole('link', { name: 'Previous in the stream' }).press('Enter')
    await page.getByRole('link', { name: 'Next in the stream' }).waitFor()
    await page.goBack()
    await page.getByRole('heading', { name: `${position} message.sent` }).waitFor()
    stage.filters = { ...stage.filters, explorer: { position } }
  })

  await stage.step('what is not there is said, a table is kept as a file, an analyst may not look', async () => {
    const { page } = ada
    const problems = stage.problems.length
    await ada.open('explorer', { position: 'c0-99999' })
    await page.getByRole('alert').getByText('Not found').waitFor()
    await ada.open('explorer', { q: 'nobody is called so' })
    await page.getByText('There is no such stream').waitFor()
    await ada.open('explorer', { stream: 'p|baochai|daiyu' })
    const file = await ada.download(page.getByRole('button', { name: /JSON/ }))
    const rows = JSON.parse(file.text)
    if (!rows.some(({ what, actor }) => what === '菊花诗我已写成。' && actor === '薛宝钗 (baochai)')) throw new Error(file.text)
    await ada.leave()
    const ana = await Visitor.enter(stage, 'analyst')
    equal(await ana.page.getByRole('navigation').getByRole('link', { name: 'Explorer' }).count(), 0, 'links to the explorer')
    await ana.page.goto(`${server.console}/#/explorer`)
    await ana.page.getByText('Your role can’t open this page.').waitFor()
    await ana.leave()
    stage.problems.length = problems
  })
}
