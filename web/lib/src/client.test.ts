import { beforeEach, describe, expect, test } from 'vitest'
import { Client, type Phase } from './client.ts'
import type { Push } from './frames.ts'
import { RequestError } from './outbox.ts'
import { World } from './testing/world.ts'

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
  client = new Client('token', world, {
    phase: (phase) => phases.push(phase.name),
    push: (push) => pushes.push(push),
    live: (resumed) => lives.push(resumed),
  })
  client.start()
})

function goLive(cursor = 'c0-10,u0-2'): void {
  world.wire.onOpen()
  world.wire.welcome(cursor)
}

const message = (position: string) => ({ sendUserId: 'bob', receiveUserId: 'ann', messageContent: '你好', receiveDate: '', messageId: `m-${position}`, position })
const settled = () => new Promise((resolve) => setTimeout(resolve))

describe('login', () => {
  test('the first one has no cursor and asks for own actions', () => {
    world.wire.onOpen()
    expect(world.wire.sent).toEqual([{ url: '/chat/login', params: { token: 'token', uniqueNo: 'id1', own: true } }])
    world.wire.welcome('c0-10,u0-2')
    expect(phases).toEqual(['connecting', 'live'])
    expect(lives).toEqual([false])
    expect(client.seen).toBe('c0-10,u0-2')
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
    expect(client.seen).toBe('c0-12')
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
    expect(client.seen).toBe('c0-14,u0-6')
  })

  test('a success sent again as an old position does not move the cursor back', () => {
    goLive('c0-10')
    void client.command('/chat/sendMessage', {}, { uniqueNo: 'old', repeated: true })
    world.wire.succeed('old', { position: 'c0-4' })
    expect(client.seen).toBe('c0-10')
  })

  test('a cursor that can not be served is dropped: the same connection starts live, the state is asked anew', () => {
    goLive('c0-10')
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.refuseLogin('bad_request')
    expect(world.wires).toHaveLength(2)
    expect(world.wire.requests('/chat/login')).toHaveLength(2)
    expect(world.wire.requests('/chat/login')[1]).not.toHaveProperty('cursor')
    world.wire.welcome('c0-3')
    expect(lives).toEqual([false, false])
    expect(client.seen).toBe('c0-3')
  })

  test('what was not answered is sent again, in order, with the same uniqueNo and resend', async () => {
    goLive()
    const first = client.command('/chat/sendMessage', { messageContent: '一' })
    const second = client.command('/chat/sendMessage', { messageContent: '二' })
    const before = world.wire.requests('/chat/sendMessage')
    expect(before.map((params) => params.resend)).toEqual([undefined, undefined])
    world.wire.onClose(1006)
    const third = client.command('/chat/sendMessage', { messageContent: '三' })
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.welcome('c0-10,u0-2')
    expect(world.wire.requests('/chat/sendMessage')).toEqual([]) // not before the backlog is complete
    world.wire.push('15', { cursor: 'c0-10,u0-2', complete: true })
    const after = world.wire.requests('/chat/sendMessage')
    expect(after.map((params) => [params.messageContent, params.resend])).toEqual([
      ['一', true],
      ['二', true],
      ['三', undefined],
    ])
    expect(after.slice(0, 2).map((params) => params.uniqueNo)).toEqual(before.map((params) => params.uniqueNo))
    for (const params of after) world.wire.succeed(params.uniqueNo, { position: 'c0-11' })
    await Promise.all([first, second, third])
  })
})

describe('keeping up', () => {
  test('waits longer each time, with chance in it, and begins anew after a success', () => {
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      world.wire.onClose(1006)
      const phase = client.phase
      waits.push(phase.name === 'waiting' ? phase.retryAt - world.now() : -1)
      client.retryNow()
    }
    expect(waits).toEqual([300, 600, 1200, 2400, 4800, 9600, 11250, 11250])
    goLive()
    world.wire.onClose(1001)
    expect(client.phase).toMatchObject({ retryAt: world.now() + 300 })
  })

  test('an expired token is not tried again', () => {
    goLive()
    world.wire.onClose(4001)
    expect(client.phase).toEqual({ name: 'ended', reason: 'unauthorized' })
    world.pass(60_000)
    expect(world.wires).toHaveLength(1)
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
    const sent = client.command('/chat/sendMessage', {}, { uniqueNo: 'n1' })
    world.wire.fail('n1', 'not_friend')
    const error: unknown = await sent.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RequestError)
    expect(error).toMatchObject({ reason: 'not_friend', uniqueNo: 'n1', detail: 'because not_friend' })
  })

  test('unknown is repeated with the same uniqueNo until the outcome is known', async () => {
    goLive()
    const sent = client.command('/chat/sendMessage', {}, { uniqueNo: 'n1' })
    world.wire.fail('n1', 'unknown')
    world.pass(100)
    expect(world.wire.requests('/chat/sendMessage')).toEqual([
      { token: 'token', uniqueNo: 'n1' },
      { token: 'token', uniqueNo: 'n1', resend: true },
    ])
    world.wire.succeed('n1', { position: 'c0-11' })
    await expect(sent).resolves.toMatchObject({ position: 'c0-11' })
  })

  test('unavailable is repeated a few times, then told', async () => {
    goLive()
    const sent = client.command('/chat/sendMessage', {}, { uniqueNo: 'n1' })
    const outcome = sent.catch((error: unknown) => error)
    for (let i = 0; i < 5; i++) {
      world.wire.fail('n1', 'unavailable')
      world.pass(10_000)
    }
    await expect(outcome).resolves.toMatchObject({ reason: 'unavailable' })
    expect(world.wire.requests('/chat/sendMessage')).toHaveLength(5)
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
    const sent = client.command('/chat/sendMessage', {}, { uniqueNo: 'n1' })
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
    expect(client.seen).toBe('c0-50,u0-2') // a later version's push moves the cursor all the same
  })
})
