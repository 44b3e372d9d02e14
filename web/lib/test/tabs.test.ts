import { expect, test } from 'vitest'
import type { Locks } from '../src/environment.ts'
import { MemoryStore } from '../src/memory_store.ts'
import { World } from '../src/testing/world.ts'
import { hello, turn, Window } from './window.ts'

/** Locks as navigator.locks has them, of all tabs of an origin. */
class TabLocks implements Locks {
  private readonly queues = new Map<string, Promise<void>>()
  private readonly held = new Set<string>()

  async request(name: string, { ifAvailable, signal }: { ifAvailable?: boolean; signal?: AbortSignal }, callback: (lock: unknown) => Promise<void>): Promise<void> {
    if (ifAvailable && this.held.has(name)) return callback(null)
    const before = this.queues.get(name) ?? Promise.resolve()
    let release = () => {}
    this.queues.set(name, before.then(() => new Promise((resolve) => (release = resolve))))
    this.held.add(name)
    await before
    await Promise.resolve()
    if (signal?.aborted) {
      release()
      throw new DOMException('aborted', 'AbortError')
    }
    this.held.add(name)
    try {
      await callback({})
    } finally {
      this.held.delete(name)
      release()
    }
  }
}

function tabs(withLocks: boolean) {
  const store = new MemoryStore()
  const locks = withLocks ? new TabLocks() : undefined
  const open = async (): Promise<Window> => {
    const world = new World()
    world.locks = locks
    world.idPrefix = `${Math.random()}`
    return new Window({ store }, world).live()
  }
  return { store, open }
}

const say = (window: Window, uniqueNo: string) => window.client.command('/chat/sendMessage', hello, { uniqueNo }).catch((error: unknown) => error)

test('a tab leaves alone what another one looks after, and takes it over when that one is gone', async () => {
  const { store, open } = tabs(true)
  const first = await open()
  await turn()
  void say(first, 'n1')
  const second = await open()
  const third = await open()
  expect(second.client.pending).toEqual([])
  first.client.stop()
  await turn()
  await turn()
  const takers = [second, third].filter((window) => window.client.pending.length > 0)
  expect(takers).toHaveLength(1)
  expect(takers[0]!.sent('/chat/sendMessage')).toMatchObject([{ uniqueNo: 'n1', resend: true }])
  takers[0]!.world.wire.succeed('n1', { position: 'c0-11' })
  expect(takers[0]!.settled).toMatchObject([{ uniqueNo: 'n1' }])
  expect(store.load('ann').commands).toEqual([])
})

test('a reload takes over what the page before it left', async () => {
  const { open } = tabs(true)
  const before = await open()
  void say(before, 'n1')
  before.client.stop()
  const after = await open()
  expect(after.client.pending.map((one) => one.uniqueNo)).toEqual(['n1'])
})

test('one tab takes over what came into the store after it began', async () => {
  const { open } = tabs(true)
  const first = await open()
  const second = await open()
  void say(second, 'n1')
  second.client.stop()
  await turn()
  await first.lose() // each time it becomes live it looks
  await turn()
  expect(first.sent('/chat/sendMessage')).toMatchObject([{ uniqueNo: 'n1' }])
})

test('without locks both send it under one uniqueNo, so it is done once', async () => {
  const { store, open } = tabs(false)
  const first = await open()
  const sent = say(first, 'n1')
  const second = await open()
  expect(second.sent('/chat/sendMessage')).toMatchObject([{ uniqueNo: 'n1', resend: true }])
  for (const window of [second, first]) window.world.wire.succeed('n1', { position: 'c0-11', messageId: 'm' })
  expect(await sent).toMatchObject({ messageId: 'm' })
  expect(store.load('ann').commands).toEqual([])
})

test('the cursor that tabs share never moves back', async () => {
  const { store, open } = tabs(true)
  const [slow, fast] = [await open(), await open()]
  fast.world.wire.push('1', { position: 'c0-15' })
  slow.world.wire.push('1', { position: 'c0-11' })
  expect(store.load('ann').cursor).toBe('c0-15,u0-2')
})
