// A group of 100 000 people and as many messages, and how soon the first word is there.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Person } from '../person.mjs'
import { desktop } from '../stage.mjs'
import { equal, until } from '../steps.mjs'

const count = 100_000
const group = '大观园'
const user = (i) => `u${String(i).padStart(6, '0')}`
const mostRows = 700 // rows of the page, however many there are
const slowest = { frame: 250, word: 3_000 } // milliseconds, for a machine with much else to do; the figures are printed

/** Scrolls as a wheel does, a step a frame; gives the time between frames. */
const scroll = (element, { steps, by }) =>
  element.evaluate(
    async (inner, { steps, by }) => {
      const scroller = inner.closest('[data-scroller], [role=log]')
      const frames = []
      let before = performance.now()
      for (let i = 0; i < steps; i++) {
        scroller.scrollTop += by
        await new Promise(requestAnimationFrame)
        frames.push(performance.now() - before)
        before = performance.now()
      }
      return frames.sort((a, b) => a - b)
    },
    { steps, by },
  )
const at = (frames, share) => frames[Math.floor((frames.length - 1) * share)].toFixed(0)

export async function magnitude(stage) {
  let server, token, one

  await stage.step(`a group of ${count} people who said ${count} words is brought in`, async () => {
    server = await stage.another('server-magnitude')
    const file = join(server.data, 'chat.jsonl')
    writeFileSync(file, Array.from({ length: count }, (_, i) => JSON.stringify({ time: '2024-01-01 00:00:00', from: user(i), group, text: `第${i + 1}个人到了，${'说一句话'.repeat(1 + (i % 5))}` })).join('\n') + '\n')
    await server.run('import', file)
    await server.start()
    token = await server.run('token', '--user', user(99_990), '--name', '贾芸')
    one = new Person(await stage.open('one', desktop), '')
    await one.page.goto(`${server.origin}/#token=${token}`)
    await one.page.reload()
    await until('the group is there', async () => (await one.row(group).count()) === 1, 60_000)
    await one.open(group)
    await one.sees(`第${count}个人到了，${'说一句话'.repeat(1 + ((count - 1) % 5))}`, 30_000)
  })

  await stage.step('its messages are scrolled smoothly, page after page', async () => {
    const rows = () => one.log.getByRole('article').count()
    await one.log.hover()
    const frames = await scroll(one.log, { steps: 300, by: -120 })
    const seen = Number(/第(\d+)个/.exec((await one.texts())[0])[1])
    console.log(`  messages: ${count - seen} of them scrolled past, ${at(frames, 0.5)} ms a frame, ${at(frames, 0.99)} ms the slowest in a hundred, ${await rows()} rows on the page`)
    if (seen > count - 100) throw new Error(`only ${count - seen} messages came into sight`)
    if ((await rows()) > mostRows) throw new Error(`${await rows()} messages are on the page`)
    if (at(frames, 0.5) > slowest.frame) throw new Error(`half of the frames take longer than ${at(frames, 0.5)} ms`)
    await one.button('回到最新').click()
  })

  await stage.step('its members are scrolled smoothly, page after page', async () => {
    const details = await one.details()
    const list = details.getByRole('list', { name: '成员' })
    await list.getByRole('listitem').first().waitFor()
    const rows = async () => list.getByRole('listitem').count()
    const loaded = async () => Number(await list.getByRole('listitem').first().getAttribute('aria-setsize'))
    const frames = []
    await until('thousands are loaded', async () => {
      frames.push(...(await scroll(list, { steps: 60, by: 400 })))
      return (await loaded()) >= 4_000 || (await loaded())
    }, 60_000)
    frames.sort((a, b) => a - b)
    console.log(`  members: ${await loaded()} loaded, ${at(frames, 0.5)} ms a frame, ${at(frames, 0.99)} ms the slowest in a hundred, ${await rows()} rows on the page`)
    if ((await rows()) > 60) throw new Error(`${await rows()} members are on the page`)
    if (at(frames, 0.5) > slowest.frame) throw new Error(`half of the frames take longer than ${at(frames, 0.5)} ms`)
    await list.getByRole('button').first().focus()
    await one.page.keyboard.press('Home')
    await until('the first is focused', () => one.page.evaluate(() => document.activeElement?.closest('[aria-posinset]')?.getAttribute('aria-posinset') === '1'))
    await one.page.keyboard.press('End')
    await until('the last is focused', async () => Number(await one.page.evaluate(() => document.activeElement?.closest('[aria-posinset]')?.getAttribute('aria-posinset'))) >= 4_000)
    await stage.picture(one.page, 'magnitude')
  })

  await stage.step('how soon the first word is seen after a warm start', async () => {
    await one.page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector('article .text')) return
        observer.disconnect()
        requestAnimationFrame(() => (window.firstWord = performance.now()))
      }).observe(document, { childList: true, subtree: true })
    })
    const times = []
    for (let i = 0; i < 7; i++) {
      await one.page.reload()
      await until('the first word', () => one.page.evaluate(() => window.firstWord !== undefined))
      times.push(await one.page.evaluate(() => window.firstWord))
    }
    times.sort((a, b) => a - b)
    console.log(`  the first word after a warm start: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
    if (times[0] > slowest.word) throw new Error(`it took ${times[0].toFixed(0)} ms at best`)
    equal(times.length, 7, 'measurements')
    await stage.close('one')
  })
}
