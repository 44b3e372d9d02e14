// The page Projections: read models rebuilt and verified while it is looked at, a
// build brought back, one dropped, one as of now under a name.
import { Visitor } from '../visitor.mjs'

const patient = { timeout: 90_000 } // a rebuild on a loaded machine

export async function story(stage) {
  let ada

  await stage.step('an admin verifies all read models; every table is as the log says', async () => {
    ada = await Visitor.enter(stage, 'admin', 'projections')
    await ada.open('projections')
    const { page } = ada
    await page.getByRole('region', { name: 'Read models' }).getByRole('row', { name: /history/ }).waitFor()
    await page.getByRole('button', { name: 'Verify all' }).click()
    await page.getByText('as the log says').first().waitFor(patient)
    await page.getByText('Result').first().click()
    await page.getByRole('region', { name: 'Result' }).getByRole('row', { name: /history messages .*equal/ }).waitFor()
  })

  await stage.step('a read model is rebuilt, and the build before is brought back', async () => {
    const { page } = ada
    await ada.open('projections', { model: 'history' })
    await page.getByRole('button', { name: 'Rebuild… history' }).click()
    await page.getByText('events to read').waitFor()
    await page.getByLabel('While people chat, take').selectOption('no limit')
    await page.getByRole('button', { name: 'Start' }).click()
    const builds = page.getByRole('region', { name: 'Builds' })
    await builds.getByRole('row', { name: /previous/ }).waitFor(patient)
    await builds.getByRole('button', { name: /^Make live history/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Make live' }).click()
    await page.getByRole('article', { name: /^Roll back history/ }).getByText('done').waitFor(patient)
    await builds.getByRole('button', { name: /^Discard history/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click()
    await builds.getByRole('row', { name: /previous/ }).waitFor({ ...patient, state: 'detached' })
  })

  await stage.step('a build gets a name and is not live', async () => {
    const { page } = ada
    await page.getByRole('button', { name: 'Rebuild… history' }).click()
    await page.getByLabel('Name (optional)').fill('incident')
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('region', { name: 'Builds' }).getByRole('row', { name: /named incident/ }).waitFor(patient)
  })

  await stage.step('an analyst sees it all and changes nothing', async () => {
    const eve = await Visitor.enter(stage, 'analyst', 'projections')
    await eve.open('projections')
    await eve.page.getByRole('region', { name: 'Read models' }).getByRole('row', { name: /history/ }).waitFor()
    const buttons = await eve.page.getByRole('button', { name: /Rebuild|Verify|Discard|Make live/ }).count()
    if (buttons > 0) throw new Error(`${buttons} buttons that an analyst may not use`)
  })
  stage.filters = { ...stage.filters, projections: {} }
}
