import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../src/memory_store.ts'
import type { Kept, KeptCommand, Store } from '../src/store.ts'
import { WebStore, type WebStorage } from '../src/web_store.ts'
import { hello, message, tokenOf, turn, Window } from './window.ts'

class FakeStorage implements WebStorage {
  readonly items = new Map<string, string>()
  room = Infinity
  get length(): number {
    return this.items.size
  }
  key(index: number): string | null {
    return [...this.items.keys()][index] ?? null
  }
  getItem(key: string): string | null {
    return this.items.get(key) ?? null
  }
  setItem(key: string, value: string): void {
    if (key.length + value.length > this.room) throw new DOMException('the quota has been exceeded', 'QuotaExceededError')
    this.items.set(key, value)
  }
  removeItem(key: string): void {
    this.items.delete(key)
  }
}

const command = (uniqueNo: string, at: number, owner = 'a'): KeptCommand => ({ uniqueNo, url: '/chat/sendMessage', params: { ...hello, messageContent: '  你好\n😀' }, at, owner })

// IndexedStore passes the same, in a real browser: e2e/stories/library.mjs.
describe.each([
  ['MemoryStore', () => new MemoryStore()],
  ['WebStore', () => new WebStore(new FakeStorage())],
] as [string, () => Store][])('%s', (_, make) => {
  test('gives commands back as they were, in the order they were made, by user', async () => {
    const store = make()
    for (const one of [command('b', 2), command('a', 1), command('c', 3)]) await store.put('ann', one)
    await store.put('ann/x', command('d', 4))
    await store.put('ann', command('b', 2, 'other'))
    await store.remove('ann', 'c')
    await store.remove('ann', 'nobody')
    const { commands } = await store.load('ann')
    expect([...commands].sort((a, b) => a.at - b.at)).toEqual([command('a', 1), command('b', 2, 'other')])
    expect((await store.load('ann/x')).commands).toEqual([command('d', 4)])
    expect(await store.load('eve')).toEqual({ cursor: '', commands: [] })
  })

  test('moves a cursor forward by prefix, and back only when told', async () => {
    const store = make()
    await store.saveCursor('ann', 'c0-5,c1-7', false)
    await store.saveCursor('ann', 'c0-9,c1-3,u0-1', false)
    expect((await store.load('ann')).cursor).toBe('c0-9,c1-7,u0-1')
    await store.saveCursor('ann', 'c0-2', true)
    expect((await store.load('ann')).cursor).toBe('c0-2')
    expect((await store.load('eve')).cursor).toBe('')
  })
})

test('what stands in localStorage and is none of ours, or broken, is passed over', () => {
  const storage = new FakeStorage()
  const store = new WebStore(storage)
  store.put('ann', command('a', 1))
  storage.setItem('theme', 'dark')
  storage.setItem('lishi/ann/command/b', '{"uniqueNo":"b"')
  storage.setItem('lishi/ann/command/c', '7')
  expect(store.load('ann').commands).toEqual([command('a', 1)])
})

describe('after a reload', () => {
  test('what was not answered goes out again under its uniqueNo, before what is new, and its outcome is told', async () => {
    const store = new MemoryStore()
    const first = await new Window({ store }).live()
    const lost = first.client.command('/chat/sendMessage', hello, { uniqueNo: 'n1' }).catch((error: unknown) => error)
    void first.client.command('/chat/sendMessage', { ...hello, messageContent: '二' }, { uniqueNo: 'n2' }).catch(() => {})
    void first.client.command('/chat/readMessage', { userId: 'bob', position: 'c0-3' }, { keep: false }).catch(() => {})
    first.client.stop()
    expect(await lost).toMatchObject({ reason: 'stopped', outcome: 'kept' })

    const second = new Window({ store })
    const early = second.client.command('/chat/sendMessage', { ...hello, messageContent: '三' }, { uniqueNo: 'n3' })
    await second.live()
    expect(second.client.pending.map((one) => one.uniqueNo)).toEqual(['n1', 'n2', 'n3'])
    const { wire } = second.world
    for (const [i, uniqueNo] of ['n1', 'n2', 'n3'].entries()) {
      expect(wire.requests('/chat/sendMessage').map((params) => [params.uniqueNo, params.resend])).toEqual([['n1', true], ['n2', true], ['n3', undefined]].slice(0, i + 1))
      if (uniqueNo === 'n2') wire.fail('n2', 'muted')
      else wire.succeed(uniqueNo, { position: `c0-${20 + i}`, messageId: 'm' })
    }
    await expect(early).resolves.toMatchObject({ position: 'c0-22' })
    expect(second.settled).toMatchObject([
      { uniqueNo: 'n1', url: '/chat/sendMessage', params: hello, result: { position: 'c0-20' } },
      { uniqueNo: 'n2', error: { reason: 'muted' } },
    ])
    expect(store.load('ann').commands).toEqual([])
  })

  test('one can wait for it again, or discard it', async () => {
    const store = new MemoryStore()
    for (const uniqueNo of ['n1', 'n2']) store.put('ann', { ...command(uniqueNo, uniqueNo === 'n1' ? 1 : 2), params: hello })
    const window = new Window({ store })
    window.client.start()
    const again = window.client.command('/chat/sendMessage', hello, { uniqueNo: 'n1' })
    expect(window.client.discard('n2')).toBe(true)
    expect(window.client.discard('n2')).toBe(false)
    window.welcome()
    expect(window.sent('/chat/sendMessage')).toMatchObject([{ uniqueNo: 'n1', resend: true }])
    window.world.wire.succeed('n1', { position: 'c0-11', messageId: 'm' })
    await expect(again).resolves.toMatchObject({ messageId: 'm' })
    expect(window.settled).toMatchObject([{ uniqueNo: 'n2', error: { reason: 'aborted' } }])
    expect(store.load('ann').commands).toEqual([])
  })

  test('the cursor resumes where the application was, unless it is not to be kept', async () => {
    const store = new MemoryStore()
    const first = await new Window({ store }).live()
    first.world.wire.push('1', message('c0-11'))
    first.client.stop()
    const second = await new Window({ store }).live()
    expect(second.sent('/chat/login')[0]!.cursor).toBe('c0-11,u0-2')
    expect(second.lives).toEqual([true])
    const third = await new Window({ store, keepCursor: false }).live()
    expect(third.sent('/chat/login')[0]).not.toHaveProperty('cursor')
  })

  test('a cursor that was refused is forgotten in the store too', async () => {
    const store = new MemoryStore()
    store.saveCursor('ann', 'c0-90,c7-3', false)
    const window = new Window({ store })
    window.client.start()
    window.world.wire.onOpen()
    window.world.wire.refuseLogin('bad_request')
    expect(store.load('ann').cursor).toBe('')
    window.world.wire.welcome('c0-4')
    expect(store.load('ann').cursor).toBe('c0-4')
  })

  test('the commands of one user are never sent by another', async () => {
    const store = new MemoryStore()
    store.put('ann', command('n1', 1))
    const window = await new Window({ store, token: tokenOf('eve') }).live()
    expect(window.client.pending).toEqual([])
  })
})

describe('a store that fails', () => {
  test('by having no room: the command is refused and was not sent', async () => {
    const storage = new FakeStorage()
    const window = await new Window({ store: new WebStore(storage) }).live()
    storage.room = 10
    await expect(window.client.command('/chat/sendMessage', hello)).rejects.toMatchObject({ reason: 'queue_full', outcome: 'refused' })
    expect(window.sent('/chat/sendMessage')).toEqual([])
    const unkept = window.client.command('/chat/sendMessage', hello, { keep: false, uniqueNo: 'n' })
    window.world.wire.succeed('n', { position: 'c0-11' })
    await unkept
    expect(window.problems.map((problem) => problem.kind)).toContain('store_failed') // the cursor had no room either
  })

  test('by not opening: it is told and tried again, and nothing is sent before', async () => {
    const inner = new MemoryStore()
    let failures = 2
    const store: Store = {
      load: async (user): Promise<Kept> => {
        if (failures-- > 0) throw new Error('blocked')
        return inner.load(user)
      },
      put: (user, one) => inner.put(user, one),
      remove: (user, uniqueNo) => inner.remove(user, uniqueNo),
      saveCursor: (user, cursor, anew) => inner.saveCursor(user, cursor, anew),
    }
    const window = new Window({ store })
    window.client.start()
    for (let i = 0; i < 2; i++) {
      await turn()
      expect(window.world.wires).toHaveLength(0)
      window.world.pass(60_000)
    }
    await turn()
    window.welcome()
    expect(window.problems).toMatchObject([{ kind: 'store_failed' }, { kind: 'store_failed' }])
    expect(window.lives).toEqual([false])
  })
})

test('a slow store has taken a command before it is sent', async () => {
  const inner = new MemoryStore()
  let take = () => {}
  const store: Store = {
    load: (user) => inner.load(user),
    put: (user, one) => new Promise<void>((resolve) => (take = () => resolve(inner.put(user, one)))),
    remove: (user, uniqueNo) => inner.remove(user, uniqueNo),
    saveCursor: (user, cursor, anew) => inner.saveCursor(user, cursor, anew),
  }
  const window = await new Window({ store }).live()
  const sent = window.client.command('/chat/sendMessage', hello, { uniqueNo: 'n' })
  await turn()
  expect(window.sent('/chat/sendMessage')).toEqual([])
  take()
  await turn()
  expect(window.sent('/chat/sendMessage')).toHaveLength(1)
  window.world.wire.succeed('n', { position: 'c0-11' })
  await sent
  const discarded = window.client.command('/chat/sendMessage', hello, { uniqueNo: 'd' }).catch((error: unknown) => error)
  window.client.discard('d')
  expect(await discarded).toMatchObject({ reason: 'aborted', outcome: 'refused' })
  take() // too late: it does not stay
  await turn()
  expect(inner.load('ann').commands).toEqual([])
})
