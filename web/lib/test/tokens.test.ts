import { expect, test } from 'vitest'
import type { TokenNeed } from '../src/token.ts'
import { World } from '../src/testing/world.ts'
import { hello, tokenOf, turn, Window } from './window.ts'

/** A window whose tokens live for some seconds, and what they were asked for. */
function issued(seconds: number, more: { fail?: (count: number) => boolean; user?: (count: number) => string } = {}) {
  const world = new World()
  const needs: TokenNeed[] = []
  const token = async (need: TokenNeed) => {
    needs.push(need)
    if (more.fail?.(needs.length)) throw new Error('the issuer is away')
    return tokenOf(more.user?.(needs.length) ?? 'ann', Math.floor(world.date() / 1000) + seconds)
  }
  return { window: new Window({ token }, world), needs, world }
}

test('a token is renewed before it ends, on the same connection', async () => {
  const { window, needs, world } = issued(600)
  await window.live()
  expect(window.client.userId).toBe('ann')
  const first = window.sent('/chat/login')[0]!.token
  for (let passed = 0; passed < 541_000; passed += 5_000) {
    world.pass(5_000)
    for (const ping of world.wire.requests('/chat/ping')) world.wire.succeed(ping.uniqueNo)
  }
  await turn()
  expect(needs).toEqual(['first', 'expiring'])
  const logins = window.sent('/chat/login')
  expect(logins).toHaveLength(2)
  expect(logins[1]!.token).not.toBe(first)
  expect(logins[1]).not.toHaveProperty('cursor')
  world.wire.welcome('c0-12,u0-2')
  expect(window.phases.map((phase) => phase.name)).toEqual(['connecting', 'live'])
  expect(window.lives).toEqual([false])
  expect(window.client.cursor).toBe('c0-12,u0-2')
  expect(world.wires).toHaveLength(1)
  void window.client.query('/friend/myFriendList').catch(() => {})
  expect(window.sent('/friend/myFriendList')[0]!.token).toBe(logins[1]!.token)
})

test('closed because the token has ended, it gets another one and resumes', async () => {
  const { window, needs } = issued(600)
  await window.live()
  await window.lose(4001)
  expect(needs).toEqual(['first', 'refused'])
  expect(window.sent('/chat/login')[0]).toHaveProperty('cursor', 'c0-10,u0-2')
  expect(window.lives).toEqual([false, true])
})

test('tokens that are refused one after the other end it', async () => {
  const { window, needs, world } = issued(600)
  window.client.start()
  for (let i = 0; i < 3; i++) {
    await turn()
    world.wire.onOpen()
    world.wire.refuseLogin('unauthorized')
    world.pass(60_000)
  }
  await turn()
  expect(needs).toEqual(['first', 'refused', 'refused'])
  expect(window.client.phase).toMatchObject({ name: 'ended', reason: 'unauthorized' })
})

test('a request that is refused for its token goes out again with another one, once', async () => {
  const { window, needs, world } = issued(600)
  await window.live()
  const sent = window.client.command('/chat/sendMessage', hello, { uniqueNo: 'n' })
  world.wire.fail('n', 'unauthorized')
  await turn()
  expect(needs).toEqual(['first', 'refused'])
  world.wire.welcome('c0-10,u0-2')
  expect(window.sent('/chat/sendMessage').map((params) => params.resend)).toEqual([undefined, true])
  world.wire.fail('n', 'unauthorized')
  await expect(sent).rejects.toMatchObject({ reason: 'unauthorized', again: 'token' })
})

test('without a token function a request refused for its token is told', async () => {
  const window = await new Window().live()
  const sent = window.client.command('/chat/sendMessage', hello, { uniqueNo: 'n' })
  window.world.wire.fail('n', 'unauthorized')
  await expect(sent).rejects.toMatchObject({ reason: 'unauthorized' })
})

test('a token function that fails is told and called again', async () => {
  const { window, needs, world } = issued(600, { fail: (count) => count <= 2 })
  window.client.start()
  await turn()
  expect(window.problems).toEqual([{ kind: 'token_failed', error: new Error('the issuer is away') }])
  expect(world.wires).toHaveLength(0)
  world.pass(1_000)
  await turn()
  world.pass(2_000)
  await turn()
  expect(needs).toEqual(['first', 'first', 'first'])
  window.welcome()
  expect(window.lives).toEqual([false])
})

test('a token function that gives nothing has failed', async () => {
  const window = new Window({ token: () => undefined as unknown as string })
  window.client.start()
  expect(window.problems).toMatchObject([{ kind: 'token_failed' }])
})

test('a token of another user ends it, before anything is sent in their name', async () => {
  const { window } = issued(600, { user: (count) => (count === 1 ? 'ann' : 'eve') })
  await window.live()
  void window.client.command('/chat/sendMessage', hello).catch(() => {})
  window.world.wire.onClose(4001)
  window.world.pass(60_000)
  await turn()
  expect(window.client.phase).toMatchObject({ name: 'ended', reason: 'unauthorized', detail: 'the token function gave the token of another user' })
  expect(window.world.wires).toHaveLength(1)
})

test('one who gets the same token again is not asked without pause', async () => {
  const world = new World()
  let asked = 0
  const token = tokenOf('ann', world.date() / 1000 + 10)
  const window = await new Window({ token: () => (asked++, token) }, world).live()
  for (let i = 0; i < 100; i++) {
    world.pass(100)
    if (window.sent('/chat/login').length > asked - 1) world.wire.welcome('c0-10')
  }
  expect(asked).toBeLessThan(8)
})
