import { beforeEach, describe, expect, test } from 'vitest'
import { Client, type Problem } from '../src/client.ts'
import type { Phase } from '../src/connection.ts'
import { RequestError } from '../src/errors.ts'
import type { Push } from '../src/pushes.ts'
import { World } from '../src/testing/world.ts'

let world: World
let client: Client
let phases: Phase['name'][]
let pushes: Push[]
let lives: boolean[]

beforeEach(() => {
  world = new World()
  phases = []
  pushes = []
  lives = []
  client = new Client({ token: 'token', environment: world })
  client.on('phase', (phase) => phases.push(phase.name))
  client.on('push', (push) => pushes.push(push))
  client.on('live', (resumed) => lives.push(resumed))
  client.start()
})

function goLive(cursor = 'c0-10,u0-2'): void {
  world.wire.onOpen()
  world.wire.welcome(cursor)
}

const message = (position: string) => ({ sendUserId: 'bob', receiveUserId: 'ann', messageContent: '你好', receiveDate: '', messageId: `m-${position}`, position })
const hello = { receiveUserId: 'bob', messageContent: '在' }
const settled = () => new Promise((resolve) => setTimeout(resolve))

describe('login', () => {
  test('the first one has no cursor and asks for own actions', () => {
    world.wire.onOpen()
    expect(world.wire.sent).toEqual([{ url: '/chat/login', params: { token: 'token', uniqueNo: 'id1', own: true } }])
    world.wire.welcome('c0-10,u0-2')
    expect(phases).toEqual(['connecting', 'live'])
    expect(lives).toEqual([false])
    expect(client.cursor).toBe('c0-10,u0-2')
  })

  test('a refused token ends it, and requests that wait', async () => {
    const waiting = client.query('/friend/myFriendList')
    world.wire.onOpen()
    world.wire.refuseLogin('unauthorized')
    await expect(waiting).rejects.toMatchObject({ reason: 'unauthorized' })
    world.pass(60_000)
    expect(phases).toEqual(['connecting', 'ended'])
    expect(world.wires).toHaveLength(1)
  })

  test.each(['unavailable', 'unknown', 'rate_limited'])('%s is tried again later', (reason) => {
    world.wire.onOpen()
    world.wire.refuseLogin(reason)
    expect(phases.at(-1)).toBe('waiting')
    world.pass(1_000)
    expect(world.wires).toHaveLength(2)
  })

  test('nobody answers: the connection is given up', () => {
    world.wire.onOpen()
    world.pass(16_000)
    expect(world.wires.length).toBeGreaterThan(1)
    expect(world.wires[0]!.closed).toBe(true)
  })
})

describe('resume', () => {
  test('logs in with the greatest position of every prefix, of pushes and successes', async () => {
    goLive()
    world.wire.push('1', message('c0-12'))
    world.wire.push('1', message('c0-11')) // never greater before smaller, but never back either
    const sent = client.command('/chat/sendMessage', { receiveUserId: 'bob', messageContent: '在' })
    world.wire.succeed(world.wire.requests('/chat/sendMessage')[0]!.uniqueNo, { position: 'c3-7', messageId: 'm' })
    await sent
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    expect(world.wire.requests('/chat/login')[0]).toMatchObject({ cursor: 'c0-12,c3-7,u0-2', own: true })
  })

  test('an edit and a recall are told in log order and move the cursor', () => {
    goLive('c0-10')
    const revision = { change: 'edited', messagePosition: 'c0-3', messageContent: '改过', sendUserId: 'bob', receiveUserId: 'ann' }
    world.wire.push('12', { ...revision, position: 'c0-11' })
    world.wire.push('12', { ...revision, change: 'recalled', messageContent: undefined, position: 'c0-12' })
    expect(pushes).toMatchObject([
      { msgType: '12', data: { change: 'edited', messagePosition: 'c0-3', messageContent: '改过' } },
      { msgType: '12', data: { change: 'recalled', messagePosition: 'c0-3' } },
    ])
    expect(client.cursor).toBe('c0-12')
  })

  test('is live only after push 15, whose cursor counts', () => {
    goLive('c0-10')
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.welcome('c0-10,u0-5')
    expect(phases.at(-1)).toBe('resuming')
    world.wire.push('1', message('c0-11'))
    expect(phases.at(-1)).toBe('resuming')
    world.wire.push('15', { cursor: 'c0-14,u0-6', complete: true })
    expect(phases.at(-1)).toBe('live')
    expect(lives).toEqual([false, true])
    expect(pushes.map((push) => 'position' in push.data && push.data.position)).toEqual(['c0-11'])
    expect(client.cursor).toBe('c0-14,u0-6')
  })

  test('a success sent again as an old position does not move the cursor back', () => {
    goLive('c0-10')
    void client.command('/chat/sendMessage', hello, { uniqueNo: 'old', repeated: true })
    world.wire.succeed('old', { position: 'c0-4' })
    expect(client.cursor).toBe('c0-10')
  })

  test('a cursor that can not be served is told and dropped: the same connection starts live, the state is asked anew', () => {
    goLive('c0-10')
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    const problems: Problem[] = []
    client.on('problem', (problem) => problems.push(problem))
    world.wire.refuseLogin('bad_request')
    expect(problems.map((problem) => problem.kind)).toEqual(['cursor_refused'])
    expect(world.wires).toHaveLength(2)
    expect(world.wire.requests('/chat/login')).toHaveLength(2)
    expect(world.wire.requests('/chat/login')[1]).not.toHaveProperty('cursor')
    world.wire.welcome('c0-3')
    expect(lives).toEqual([false, false])
    expect(client.cursor).toBe('c0-3')
  })

  test('what was not answered is sent again, with the same uniqueNo and resend, in order', async () => {
    goLive()
    const say = (text: string, to = 'bob') => client.command('/chat/sendMessage', { receiveUserId: to, messageContent: text })
    const texts = () => world.wire.requests('/chat/sendMessage').map((params) => [params.messageContent, params.resend])
    const all = [say('一'), say('二'), say('甲', 'eve')]
    expect(texts()).toEqual([['一', undefined], ['甲', undefined]]) // one conversation's second message waits for the first
    const before = world.wire.requests('/chat/sendMessage')
    world.wire.onClose(1006)
    all.push(say('三'))
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.welcome('c0-10,u0-2')
    expect(texts()).toEqual([]) // not before the backlog is complete
    world.wire.push('15', { cursor: 'c0-10,u0-2', complete: true })
    expect(texts()).toEqual([['一', true], ['甲', true]])
    expect(world.wire.requests('/chat/sendMessage').map((params) => params.uniqueNo)).toEqual(before.map((params) => params.uniqueNo))
    for (let i = 0; i < 4; i++) world.wire.succeed(world.wire.requests('/chat/sendMessage')[i]!.uniqueNo, { position: `c0-${11 + i}` })
    expect(texts()).toEqual([['一', true], ['甲', true], ['二', undefined], ['三', undefined]])
    await Promise.all(all)
    expect(client.pending).toEqual([])
  })
})

describe('keeping up', () => {
  const waited = () => (client.phase.name === 'waiting' ? client.phase.retryAt - world.now() : -1)

  test('waits longer each time, and begins anew after a connection that lasted', () => {
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      world.wire.onClose(1006)
      waits.push(waited())
      client.retryNow()
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15000, 15000])
    goLive()
    world.wire.onClose(1001)
    expect(waited()).toBe(15_000) // a server that takes people in and drops them is no success
    client.retryNow()
    world.wire.onOpen()
    world.wire.welcome('c0-10,u0-2')
    world.wire.push('15', { cursor: 'c0-10,u0-2', complete: true })
    world.pass(5_000)
    world.wire.onClose(1001)
    expect(client.phase).toMatchObject({ retryAt: world.now() + 250, code: 1001 })
  })

  test('without a token function an expired token ends it', () => {
    goLive()
    world.wire.onClose(4001)
    expect(client.phase).toEqual({ name: 'ended', reason: 'unauthorized', detail: 'the token has expired' })
    world.pass(60_000)
    expect(world.wires).toHaveLength(1)
  })

  test('after a flood it rests', () => {
    goLive()
    world.wire.onClose(4009)
    expect(waited()).toBe(10_000)
  })

  test('a message longer than the server takes is given up, the others go on', async () => {
    goLive()
    const long = client.command('/chat/sendMessage', { receiveUserId: 'bob', messageContent: 'x'.repeat(100_000) }).catch((error: unknown) => error)
    const short = client.command('/chat/sendMessage', { receiveUserId: 'eve', messageContent: 'x' })
    world.wire.onClose(1009)
    expect(await long).toMatchObject({ reason: 'too_long', outcome: 'refused' })
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.welcome('c0-10,u0-2')
    world.wire.push('15', { cursor: 'c0-10,u0-2', complete: true })
    expect(world.wire.requests('/chat/sendMessage')).toHaveLength(1)
    world.wire.succeed(world.wire.requests('/chat/sendMessage')[0]!.uniqueNo, { position: 'c0-11' })
    await short
  })

  test('waking up, it does not wait for its time, and asks a silent connection', () => {
    world.wire.onClose(1006)
    world.wake()
    expect(world.wires).toHaveLength(2)
    goLive()
    world.wake()
    world.wake()
    expect(world.wire.requests('/chat/ping')).toHaveLength(1)
    world.pass(15_000) // no answer
    expect(world.wires).toHaveLength(3)
    client.stop()
    world.wake()
    expect(world.wires).toHaveLength(3)
  })

  test('a socket that can not be made is told and tried again', () => {
    const problems: unknown[] = []
    client.on('problem', (problem) => problems.push(problem))
    const open = world.open.bind(world)
    world.open = () => {
      throw new Error('not allowed')
    }
    world.wire.onClose(1006)
    world.pass(500)
    expect(problems).toEqual([{ kind: 'socket_failed', error: new Error('not allowed') }])
    world.open = open
    world.pass(1_000)
    expect(world.wires).toHaveLength(2)
  })

  test('a slow consumer resumes', () => {
    goLive()
    world.wire.onClose(4008)
    world.pass(1_000)
    world.wire.onOpen()
    expect(world.wire.requests('/chat/login')[0]).toHaveProperty('cursor')
  })

  test('a silent connection is asked whether it lives, and given up when it does not answer', () => {
    goLive()
    world.pass(25_000)
    expect(world.wire.requests('/chat/ping')).toHaveLength(1)
    world.wire.succeed(world.wire.requests('/chat/ping')[0]!.uniqueNo)
    world.pass(20_000)
    expect(world.wires).toHaveLength(1)
    world.pass(25_000)
    expect(world.wires.length).toBeGreaterThan(1)
    expect(world.wires[0]!.closed).toBe(true)
  })

  test('a late close of a connection that was given up changes nothing', () => {
    goLive()
    const old = world.wire
    world.pass(60_000)
    const count = world.wires.length
    old.onClose(1006)
    expect(world.wires).toHaveLength(count)
  })
})

describe('answers', () => {
  test('a refusal rejects with its reason and the uniqueNo', async () => {
    goLive()
    const sent = client.command('/chat/sendMessage', hello, { uniqueNo: 'n1' })
    world.wire.fail('n1', 'not_friend')
    const error: unknown = await sent.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RequestError)
    expect(error).toMatchObject({ reason: 'not_friend', uniqueNo: 'n1', detail: 'because not_friend' })
  })

  test('unknown is repeated with the same uniqueNo until the outcome is known', async () => {
    goLive()
    const sent = client.command('/chat/sendMessage', hello, { uniqueNo: 'n1' })
    world.wire.fail('n1', 'unknown')
    world.pass(100)
    expect(world.wire.requests('/chat/sendMessage')).toEqual([
      { token: 'token', uniqueNo: 'n1', ...hello },
      { token: 'token', uniqueNo: 'n1', ...hello, resend: true },
    ])
    world.wire.succeed('n1', { position: 'c0-11' })
    await expect(sent).resolves.toMatchObject({ position: 'c0-11' })
  })

  test('unavailable is repeated a few times, then told', async () => {
    goLive()
    const sent = client.command('/chat/sendMessage', hello, { uniqueNo: 'n1' })
    const outcome = sent.catch((error: unknown) => error)
    for (let i = 0; i < 6; i++) {
      world.wire.fail('n1', 'unavailable')
      world.pass(10_000)
    }
    await expect(outcome).resolves.toMatchObject({ reason: 'unavailable', outcome: 'refused', again: 'later' })
    expect(world.wire.requests('/chat/sendMessage')).toHaveLength(6)
  })

  test('rate_limited waits as long as it is told', () => {
    goLive()
    void client.query('/friend/myFriendList').catch(() => {})
    const { uniqueNo } = world.wire.requests('/friend/myFriendList')[0]!
    world.wire.fail(uniqueNo, 'rate_limited', { retryAfterMs: 700 })
    world.pass(699)
    expect(world.wire.requests('/friend/myFriendList')).toHaveLength(1)
    world.pass(1)
    expect(world.wire.requests('/friend/myFriendList')).toHaveLength(2)
    expect(world.wire.requests('/friend/myFriendList')[1]).not.toHaveProperty('resend') // a query does nothing twice
  })

  test('an answer that never comes is asked for again on the same connection', async () => {
    goLive()
    const sent = client.command('/chat/sendMessage', hello, { uniqueNo: 'n1' })
    for (let i = 0; i < 5; i++) {
      world.pass(5_000)
      world.wire.push('1', message(`c0-${20 + i}`))
    }
    expect(world.wires).toHaveLength(1)
    expect(world.wire.requests('/chat/sendMessage')[1]).toMatchObject({ uniqueNo: 'n1', resend: true })
    world.wire.succeed('n1')
    world.wire.succeed('n1') // the second answer finds nobody, which is well
    await sent
  })

  test('a query gives its rows and the next page', async () => {
    goLive()
    const asked = client.query('/friend/getRecentMessageList', { limit: 1 })
    const { uniqueNo } = world.wire.requests('/friend/getRecentMessageList')[0]!
    world.wire.succeed(uniqueNo, { list: [{ recentId: 'bob' }], next: 'n' })
    await expect(asked).resolves.toEqual({ list: [{ recentId: 'bob' }], next: 'n' })
  })

  test('frames of an unknown kind are passed over', async () => {
    goLive()
    for (const text of ['', '{', 'null', '[]', '7', '{"code":200}', '{"msgType":"99","data":{"position":"c0-50"}}', '{"code":400,"msg":"请求格式错误","obj":{"uniqueNo":""}}']) world.wire.onText(text)
    await settled()
    expect(phases.at(-1)).toBe('live')
    expect(client.cursor).toBe('c0-50,u0-2') // a later version's push moves the cursor all the same
  })
})
