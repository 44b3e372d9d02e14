import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { equal } from '../steps.mjs'

// The client library in a real browser: IndexedDB, locks that tabs share, a tab
// that goes away with something unsaid.
export async function library(stage) {
  const { output } = await bundle()
  const context = await stage.browser.newContext()
  await context.route('**/favicon.ico', (route) => route.fulfill({ status: 204 })) // a plain answer names no icon
  const tab = async (label) => {
    const page = await stage.tab(context, label)
    await page.goto(`${stage.server.origin}/readyz`) // anything of the origin but the page itself
    await page.evaluate(output)
    return page
  }
  const tokens = Object.fromEntries((await (await fetch(`${stage.server.origin}/demo/people`)).json()).map(({ userId, token }) => [userId, token]))
  const first = await tab('library 1')
  const second = await tab('library 2')

  await stage.step('library: IndexedDB keeps commands in order and by user, and a cursor that tabs move forward', async () => {
    const command = (uniqueNo, at) => ({ uniqueNo, url: '/chat/sendMessage', params: { messageContent: '  你好\n😀' }, at, owner: 'a' })
    await first.evaluate(async ([a, b, c]) => {
      const store = new lishi.IndexedStore('test')
      await Promise.all([store.put('ann', b), store.put('ann', a), store.put('ann', c), store.put('ann/x', c), store.saveCursor('ann', 'c0-5,c1-7', false)])
      await Promise.all([store.remove('ann', 'c'), store.remove('ann', 'nobody')])
    }, [command('a', 1), command('b', 2), command('c', 3)])
    const found = await second.evaluate(async () => {
      const store = new lishi.IndexedStore('test')
      await store.saveCursor('ann', 'c0-9,c1-3', false)
      const all = [await store.load('ann'), await store.load('ann/x'), await store.load('eve')]
      await store.saveCursor('ann', 'c0-2', true)
      return [...all, (await store.load('ann')).cursor]
    })
    equal(found, [{ cursor: 'c0-9,c1-7', commands: [command('a', 1), command('b', 2)] }, { cursor: '', commands: [command('c', 3)] }, { cursor: '', commands: [] }, 'c0-2'], 'what is kept')
  })

  await stage.step('library: what a closed tab left unsaid another one says, once', async () => {
    const start = (page, url) =>
      page.evaluate(
        async ([token, at]) => {
          globalThis.told = []
          globalThis.client = new lishi.Client({ token, url: at, store: new lishi.IndexedStore(), keepCursor: false })
          client.on('settled', (settled) => told.push(settled.uniqueNo))
          client.on('problem', () => {})
          client.start()
        },
        [tokens.xifeng, url],
      )
    await start(first, '/nowhere')
    stage.down = true // a socket to nowhere is an error in the browser
    await first.evaluate(() => {
      void client.command('/chat/sendMessage', { receiveUserId: 'baoyu', messageContent: '一' }, { uniqueNo: 'tab-1' }).catch(() => {})
      void client.command('/chat/sendMessage', { receiveUserId: 'baoyu', messageContent: '二' }, { uniqueNo: 'tab-2' }).catch(() => {})
    })
    await first.waitForFunction(async () => (await new lishi.IndexedStore().load('xifeng')).commands.length === 2)
    await start(second, '/ws')
    await second.waitForFunction(() => client.phase.name === 'live')
    equal(await second.evaluate(() => [client.pending.length, told]), [0, []], 'what the second tab does while the first one lives')
    await stage.close('library 1')
    await second.waitForFunction(() => told.length === 2)
    stage.down = false
    equal(await second.evaluate(() => told), ['tab-1', 'tab-2'], 'what was told')
    const said = await second.evaluate(async () => (await client.query('/friend/loadMoreMessage', { userId: 'baoyu' })).list.map((row) => row.talkContent))
    equal(said.slice(-2), ['一', '二'], 'the history')
    equal(await second.evaluate(async () => (await new lishi.IndexedStore().load('xifeng')).commands), [], 'what is kept')
  })
  await stage.close('library 2')
}

// As one script that gives a global `lishi`.
async function bundle() {
  const entry = fileURLToPath(new URL('../../lib/dist/index.js', import.meta.url))
  const [{ output }] = await build({ configFile: false, logLevel: 'error', build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'lishi', fileName: 'lishi' } } })
  return { output: `${output[0].code}\nglobalThis.lishi = lishi` }
}
