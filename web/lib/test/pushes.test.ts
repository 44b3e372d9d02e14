import { expect, test, vi } from 'vitest'
import { MemoryStore } from '../src/memory_store.ts'
import { message, turn, Window } from './window.ts'

const positions = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `c0-${from + i}`)

test('a push is taken when its listener is done, then comes the next; the cursor follows', async () => {
  const store = new MemoryStore()
  const window = new Window({ store })
  const begun: string[] = []
  const done: (() => void)[] = []
  window.client.on('push', (push) => {
    begun.push(push.data.position)
    return new Promise<void>((resolve) => done.push(resolve))
  })
  await window.live()
  for (const position of positions(11, 13)) window.world.wire.push('1', message(position))
  expect(begun).toEqual(['c0-11'])
  expect(window.client.cursor).toBe('c0-10,u0-2')
  done[0]!()
  await turn()
  expect(begun).toEqual(['c0-11', 'c0-12'])
  expect(store.load('ann').cursor).toBe('c0-11,u0-2')
})

test('a success does not move the cursor past pushes that wait, but its promise does not wait', async () => {
  const window = new Window()
  let done = () => {}
  window.client.on('push', async () => {
    const { position } = await window.client.command('/chat/sendMessage', { receiveUserId: 'bob', messageContent: '好' }, { uniqueNo: 'answer' })
    expect(position).toBe('c0-12')
    await new Promise<void>((resolve) => (done = resolve))
  })
  await window.live()
  window.world.wire.push('1', message('c0-11'))
  window.world.wire.succeed('answer', { position: 'c0-12' })
  await turn()
  expect(window.client.cursor).toBe('c0-10,u0-2')
  done()
  await turn()
  expect(window.client.cursor).toBe('c0-12,u0-2')
})

test('a connection lost meanwhile resumes behind what waits, which is not asked for again', async () => {
  const window = new Window()
  const done: (() => void)[] = []
  window.client.on('push', () => new Promise<void>((resolve) => done.push(resolve)))
  await window.live()
  for (const position of positions(11, 13)) window.world.wire.push('1', message(position))
  await window.lose()
  expect(window.sent('/chat/login')[0]!.cursor).toBe('c0-13,u0-2')
  expect(window.lives).toEqual([false]) // what was missed is not taken yet
  for (let i = 0; i < 3; i++) {
    done[i]!()
    await turn()
  }
  expect(window.positions).toEqual(positions(11, 13))
  expect(window.lives).toEqual([false, true])
})

test('a push that comes twice is handed over once', async () => {
  const window = await new Window().live()
  for (const position of ['c0-11', 'c0-11', 'c1-3', 'c0-12', 'c0-11', 'c1-3']) window.world.wire.push('1', message(position))
  expect(window.positions).toEqual(['c0-11', 'c1-3', 'c0-12'])
})

test.each(['throws', 'rejects'])('a listener that %s gets the push again, and none is left out', async (how) => {
  const window = new Window()
  let failures = 2
  const taken: string[] = []
  window.client.on('push', (push) => {
    if (push.data.position === 'c0-12' && failures-- > 0) {
      if (how === 'throws') throw new Error('no room')
      return Promise.reject(new Error('no room'))
    }
    return void taken.push(push.data.position)
  })
  await window.live()
  for (let again = 0; again < 3; again++) {
    for (const position of positions(11, 13).slice(again > 0 ? 1 : 0)) window.world.wire.push('1', message(position))
    await turn()
    if (again === 2) break
    expect(window.client.phase.name).toBe('waiting')
    expect(window.client.cursor).toBe('c0-11,u0-2')
    window.world.pass(60_000)
    window.world.wire.onOpen()
    expect(window.sent('/chat/login')[0]!.cursor).toBe('c0-11,u0-2')
    window.world.wire.welcome('c0-11,u0-2')
  }
  expect(taken).toEqual(positions(11, 13))
  expect(window.problems.map((problem) => problem.kind)).toEqual(['push_failed', 'push_failed'])
})

test('a failure that nobody listens for stands in the console', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  const window = new Window()
  window.client['listeners'].problem.clear()
  window.client.on('push', () => {
    throw new Error('no room')
  })
  await window.live()
  window.world.wire.push('1', message('c0-11'))
  expect(log).toHaveBeenCalledWith('lishi: push_failed', new Error('no room'))
})

test('of more pushes than may wait the rest is fetched again when the application has caught up', async () => {
  const window = new Window({ pushLimit: 2 })
  const done: (() => void)[] = []
  window.client.on('push', () => new Promise<void>((resolve) => done.push(resolve)))
  await window.live()
  for (const position of positions(11, 16)) window.world.wire.push('1', message(position)) // one is handed over, two wait
  void window.client.command('/user/updateUser', { nickName: 'Ann' }, { uniqueNo: 'n' })
  window.world.wire.succeed('n', { position: 'c0-17' }) // must not hide 14 to 16
  expect(window.world.wires).toHaveLength(1)
  for (let i = 0; i < 3; i++) {
    done[i]!()
    await turn()
  }
  window.world.pass(1_000)
  expect(window.world.wires).toHaveLength(2)
  window.world.wire.onOpen()
  expect(window.sent('/chat/login')[0]!.cursor).toBe('c0-13,u0-2')
  expect(window.client.cursor).toBe('c0-13,u0-2')
})

test('a listener that was taken off hears nothing', async () => {
  const window = new Window()
  const heard: string[] = []
  const off = window.client.on('push', (push) => void heard.push(push.data.position))
  await window.live()
  window.world.wire.push('1', message('c0-11'))
  off()
  window.world.wire.push('1', message('c0-12'))
  expect(heard).toEqual(['c0-11'])
})

test('a login tells what the server said with it', async () => {
  const window = new Window()
  const logins: unknown[] = []
  window.client.on('login', (login) => logins.push(login))
  await window.live('c0-1')
  expect(logins).toMatchObject([{ code: '200', userId: 'ann', cursor: 'c0-1' }])
})
