import { expect, test } from 'vitest'
import { RequestError } from '../src/errors.ts'
import { MemoryStore } from '../src/memory_store.ts'
import { hello, turn, Window } from './window.ts'

const ignore = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {})
const failure = (promise: Promise<unknown>): Promise<RequestError> => promise.then(() => Promise.reject(new Error('it was fulfilled')), (error: unknown) => error as RequestError)

test('one who waits too long gives up, and knows whether it may have happened', async () => {
  const window = new Window()
  const offline = failure(window.client.command('/chat/sendMessage', hello, { timeoutMs: 1000 }))
  await window.live()
  window.world.pass(999)
  const under = failure(window.client.query('/friend/myFriendList', {}, { timeoutMs: 500 }))
  window.world.pass(1)
  expect(await offline).toMatchObject({ reason: 'timeout', outcome: 'unknown', again: 'now', url: '/chat/sendMessage' })
  window.world.pass(500)
  expect(await under).toMatchObject({ reason: 'timeout' })
  const queued = failure(window.client.command('/chat/sendMessage', hello)) // behind nothing: the one before was given up
  expect(window.sent('/chat/sendMessage')).toHaveLength(2)
  window.client.stop()
  await queued
})

test('what was never sent did not happen', async () => {
  const window = new Window()
  const sent = failure(window.client.command('/chat/sendMessage', hello, { timeoutMs: 1000 }))
  window.client.start()
  window.world.pass(1000)
  expect(await sent).toMatchObject({ reason: 'timeout', outcome: 'refused' })
  window.welcome()
  expect(window.sent('/chat/sendMessage')).toEqual([])
})

test('a signal gives a request up, before and while it is under way', async () => {
  const window = await new Window().live()
  const before = AbortSignal.abort()
  expect(await failure(window.client.query('/friend/myFriendList', {}, { signal: before }))).toMatchObject({ reason: 'aborted', outcome: 'refused' })
  const controller = new AbortController()
  const sent = failure(window.client.command('/chat/sendMessage', hello, { signal: controller.signal, uniqueNo: 'n' }))
  controller.abort()
  expect(await sent).toMatchObject({ reason: 'aborted', outcome: 'unknown', uniqueNo: 'n' })
  window.world.wire.succeed('n') // finds nobody, which is well
  await window.lose()
  expect(window.sent('/chat/sendMessage')).toEqual([])
})

test('commands wait up to a limit, one more is refused and changes nothing', async () => {
  const window = new Window({ queueLimit: 2, store: new MemoryStore() })
  const kept = [window.client.command('/chat/sendMessage', hello), window.client.command('/chat/sendMessage', hello)]
  const query = window.client.query('/friend/myFriendList') // queries are not counted
  expect(await failure(window.client.command('/chat/sendMessage', hello))).toMatchObject({ reason: 'queue_full', outcome: 'refused', again: 'later' })
  await window.live()
  window.world.wire.succeed(window.sent('/friend/myFriendList')[0]!.uniqueNo, { list: [] })
  await query
  for (let i = 0; i < 2; i++) window.world.wire.succeed(window.sent('/chat/sendMessage')[i]!.uniqueNo, { position: `c0-${11 + i}` })
  await Promise.all(kept)
  void failure(window.client.command('/chat/sendMessage', hello))
  expect(window.sent('/chat/sendMessage')).toHaveLength(3)
})

test('the same uniqueNo is the same command while it is under way; with other content it is a conflict', async () => {
  const window = await new Window().live()
  const first = window.client.command('/chat/sendMessage', hello, { uniqueNo: 'n' })
  const again = window.client.command('/chat/sendMessage', { ...hello }, { uniqueNo: 'n' })
  expect(await failure(window.client.command('/chat/sendMessage', { ...hello, messageContent: 'x' }, { uniqueNo: 'n' }))).toMatchObject({ reason: 'conflict' })
  expect(window.sent('/chat/sendMessage')).toHaveLength(1)
  window.world.wire.succeed('n', { position: 'c0-11', messageId: 'm' })
  expect(await first).toBe(await again)
})

test('what the caller does to the params later changes nothing', async () => {
  const window = new Window()
  const params = { ...hello }
  void failure(window.client.command('/chat/sendMessage', params))
  params.messageContent = 'changed'
  await window.live()
  expect(window.sent('/chat/sendMessage')).toMatchObject([hello])
})

test('of two messages to one person the second waits for the first, also when the first has to try again', async () => {
  const window = await new Window().live()
  const { wire } = window.world
  const say = (text: string, to: string) => void ignore(window.client.command('/chat/sendMessage', { receiveUserId: to, messageContent: text }, { uniqueNo: text }))
  const sent = () => wire.requests('/chat/sendMessage').map((params) => params.uniqueNo)
  say('b1', 'bob')
  say('b2', 'bob')
  say('e1', 'eve')
  expect(sent()).toEqual(['b1', 'e1'])
  wire.fail('b1', 'unavailable')
  wire.succeed('e1')
  expect(sent()).toEqual(['b1', 'e1'])
  window.world.pass(1000)
  expect(sent()).toEqual(['b1', 'e1', 'b1'])
  wire.fail('b1', 'muted')
  expect(sent()).toEqual(['b1', 'e1', 'b1', 'b2'])
})

test('over the rate nothing goes out until there is room again', async () => {
  const window = await new Window().live()
  const { wire } = window.world
  const say = (to: string) => void ignore(window.client.command('/chat/sendMessage', { receiveUserId: to, messageContent: '在' }, { uniqueNo: to }))
  const sent = () => wire.requests('/chat/sendMessage').map((params) => params.uniqueNo)
  say('bob')
  say('eve')
  wire.fail('bob', 'rate_limited', { retryAfterMs: 100 })
  wire.fail('eve', 'rate_limited', { retryAfterMs: 300 })
  say('cid')
  window.world.pass(299)
  expect(sent()).toEqual(['bob', 'eve'])
  window.world.pass(1)
  expect(sent()).toEqual(['bob', 'eve', 'bob'])
  window.world.pass(300)
  expect(sent()).toEqual(['bob', 'eve', 'bob', 'eve'])
  window.world.pass(600)
  expect(sent()).toEqual(['bob', 'eve', 'bob', 'eve', 'cid'])
  for (let i = 0; i < 50; i++) {
    wire.fail('bob', 'rate_limited', { retryAfterMs: 100 })
    window.world.pass(100)
  }
  expect(window.client.pending.map((one) => one.uniqueNo)).toEqual(['bob', 'eve', 'cid']) // however often: later is no refusal
})

test('a client that ended refuses at once, and no listener hears of anything any more', async () => {
  const window = await new Window().live()
  const sent = failure(window.client.command('/chat/sendMessage', hello))
  const { wire } = window.world
  window.client.on('push', () => window.client.stop())
  const told = [window.phases.length, window.lives.length]
  wire.push('1', { position: 'c0-11' })
  wire.push('1', { position: 'c0-12' })
  expect(await sent).toMatchObject({ reason: 'stopped', outcome: 'unknown' })
  expect(await failure(window.client.query('/friend/myFriendList'))).toMatchObject({ reason: 'stopped', outcome: 'refused' })
  window.world.pass(100_000)
  await turn()
  expect([window.phases.length, window.lives.length]).toEqual(told)
  expect(window.positions).toEqual(['c0-11'])
  expect(wire.closed).toBe(true)
  expect(window.world.wires).toHaveLength(1)
})

test('a client is started once', async () => {
  const window = await new Window().live()
  expect(() => window.client.start()).toThrow('once')
  window.client.stop()
  window.client.stop()
})

test('many requests go out some at a time, each answer lets the next one go', async () => {
  const window = await new Window().live()
  const all = Array.from({ length: 100 }, () => window.client.query('/friend/myFriendList'))
  for (let i = 0; i < 100; i++) {
    expect(window.sent('/friend/myFriendList')).toHaveLength(Math.min(100, 64 + i))
    window.world.wire.succeed(window.sent('/friend/myFriendList')[i]!.uniqueNo, { list: [] })
  }
  await Promise.all(all)
})

test('a listener that throws or rejects is told, and disturbs nothing', async () => {
  const window = new Window()
  window.client.on('phase', () => {
    throw new Error('no')
  })
  window.client.on('live', async () => {
    throw new Error('nor this')
  })
  await window.live()
  await turn()
  expect(window.client.phase.name).toBe('live')
  expect(window.problems.map(({ kind, error }) => `${kind} ${String(error)}`)).toEqual(['listener_failed Error: no', 'listener_failed Error: no', 'listener_failed Error: nor this'])
})
