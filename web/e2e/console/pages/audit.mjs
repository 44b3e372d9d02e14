// The page Audit: what was signed and verified, one event proved, who could see it
// and what somebody saw, a package made and downloaded, and the looks at all that.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accessible } from '../../accessibility.mjs'
import { desktop, phone } from '../../stage.mjs'
import { equal, until } from '../../steps.mjs'
import { Visitor } from '../visitor.mjs'

export async function story(stage) {
  const { server } = stage
  const words = 'to be found again'
  let ada, position

  await stage.step('the audit says what was verified and signed; verifying now finds that all of it holds', async () => {
    position = await say(server, words)
    ada = await Visitor.enter(stage, 'auditor', 'audit')
    await ada.open('audit')
    const { page } = ada
    await page.getByRole('region', { name: 'Partitions' }).getByRole('row', { name: /c0/ }).waitFor()
    await page.getByRole('button', { name: 'Verify now' }).click()
    await page.getByText('all of it holds').waitFor()
    await page.getByText('asked for by e2e-auditor').waitFor()
    const kept = await ada.download(page.getByRole('button', { name: 'Keep the checkpoint of c0' }))
    equal(/^c0-\d+\.checkpoint$/.test(kept.name), true, kept.name)
    equal(/^lishi\.log\/\w+\/c0\n\d+\n/.test(kept.text), true, kept.text)
  })

  await stage.step('one event is proved, after the reason was given; the program verifies the proof alone', async () => {
    const { page } = ada
    const problems = stage.problems.length
    await page.getByRole('link', { name: 'Prove', exact: true }).click()
    await page.getByLabel('Position').fill(position)
    await page.keyboard.press('Enter')
    await ada.because('ticket 4711')
    await until('the event is sealed', async () => {
      const again = page.getByRole('button', { name: 'Try again' })
      if (await again.isVisible()) await again.click()
      return page.getByRole('button', { name: 'Keep the proof' }).isVisible()
    }, 60_000)
    const proof = await ada.download(page.getByRole('button', { name: 'Keep the proof' }))
    stage.problems.length = problems // the browser tells of the first answer, that a reason is wanted
    const file = join(server.data, proof.name)
    writeFileSync(file, proof.text)
    const said = await server.run('audit', 'verify', file)
    equal(said.includes(`${proof.name} holds: ${position}`) && said.includes(words), true, said)
  })

  await stage.step('who could see it, and why, leads to the proof of why; who was not there did not', async () => {
    const { page } = ada
    await page.getByRole('link', { name: 'Who could see', exact: true }).click()
    await page.getByLabel('Position').fill(position)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: '2 could see it' }).waitFor()
    await page.getByText(words).waitFor()
    const rows = page.getByRole('region', { name: '2 could see it' }).getByRole('row')
    await rows.filter({ hasText: 'friend.agreed' }).first().waitFor()
    await rows.filter({ hasText: 'sent it' }).waitFor()
    await rows.nth(1).getByRole('link', { name: /^proof of / }).click()
    await page.getByText('Proved:').waitFor()
  })

  await stage.step('what somebody saw, conversation by conversation, down to the words', async () => {
    const { page } = ada
    await page.getByRole('link', { name: 'What somebody saw' }).click()
    await page.getByLabel('User id').fill('daiyu')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'p|baoyu|daiyu' }).click()
    await page.getByRole('region', { name: /What they could see of/ }).getByRole('row').filter({ hasText: words }).waitFor()
    const listed = await ada.download(page.getByRole('button', { name: 'Download what is listed as CSV' }).last())
    equal(listed.text.includes(words), true, listed.text)
  })

  await stage.step('a package is made with a reason, listed, and downloaded', async () => {
    const { page } = ada
    await page.getByRole('link', { name: 'Exports' }).click()
    await page.getByRole('button', { name: 'New export' }).click()
    const dialog = page.getByRole('dialog', { name: 'New export' })
    await dialog.getByLabel('Ids, joined by commas').fill('daiyu')
    await dialog.getByLabel('Reason').fill('asked for by a court')
    await accessible(page, 'audit, new export')
    await stage.picture(page, 'audit-new-export')
    await dialog.getByRole('button', { name: 'Export', exact: true }).click()
    const row = page.getByRole('region', { name: 'Exports' }).getByRole('row').filter({ hasText: 'asked for by a court' })
    await row.getByText('done').waitFor({ timeout: 60_000 })
    const zip = await ada.download(row.getByRole('button', { name: 'Download', exact: true }))
    equal(/^lishi-export-\w+\.zip$/.test(zip.name) && zip.text.startsWith('PK'), true, zip.name)
  })

  await stage.step('all of that stands among the looks, with its reason', async () => {
    const { page } = ada
    await page.getByRole('link', { name: 'Looks' }).click()
    const rows = page.getByRole('region', { name: 'Looks' }).getByRole('row')
    for (const what of [`GET /api/audit/prove/${position}`, `GET /api/audit/who/${position}`, '/api/audit/seen?', 'POST /api/audit/exports', '/download', 'GET /api/audit/looks']) {
      await rows.filter({ hasText: what }).first().waitFor()
    }
    await page.getByLabel('Text in reason or look').fill('4711')
    await page.keyboard.press('Enter')
    await rows.filter({ hasText: 'ticket 4711' }).first().waitFor()
    await until('only what fits the filter is left', async () => (await rows.filter({ hasText: 'POST /api/audit/exports' }).count()) === 0)
    await ada.leave()
  })

  await stage.step('each part of it looks well and is accessible, also on a phone and in Chinese', async () => {
    for (const [name, options] of [['en', { ...desktop, colorScheme: 'light' }], ['zh', { ...phone, colorScheme: 'dark', locale: 'zh-CN' }]]) {
      const eve = await Visitor.enter(stage, 'admin', `audit-${name}`, { ...options, deviceScaleFactor: 1 })
      for (const part of ['integrity', 'prove', 'who', 'seen', 'exports', 'looks']) {
        await eve.open('audit', { part, position, user: 'daiyu', stream: 'p|baoyu|daiyu' })
        await accessible(eve.page, `audit, ${part}, ${name}`)
        equal(await eve.page.evaluate(() => document.documentElement.scrollWidth) <= options.viewport.width, true, `${part} fits its width`)
        await stage.picture(eve.page, `audit-${part}-${name}`)
      }
      await eve.leave()
    }
  })

  stage.filters = { ...stage.filters, audit: { part: 'who', position } }
}

/** Two of the demo's people are friends, and one says something. */
async function say(server, words) {
  const people = await (await fetch(`${server.origin}/demo/people`)).json()
  const token = (id) => people.find((one) => one.userId === id).token
  let n = 0
  const ask = async (id, url, params) => {
    const answer = await fetch(server.origin + url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ token: token(id), uniqueNo: `audit-${Date.now()}-${n++}`, ...params }) })
    return (await answer.json()).obj
  }
  const { applyFriendId } = await ask('baoyu', '/friend/applyFriend', { userId: 'daiyu' })
  if (applyFriendId) await ask('daiyu', '/friend/verifyFriend', { applyFriendId, applyState: '9' })
  return (await ask('baoyu', '/chat/sendMessage', { receiveUserId: 'daiyu', messageContent: words })).position
}
