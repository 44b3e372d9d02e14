import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemoryStore } from '../src/index.ts'
import { Person, Program, until } from './person.ts'

let program: Program
beforeAll(async () => {
  program = await Program.start()
}, 100_000)
afterAll(() => program?.remove())

test('a token that ends is renewed without a break', { timeout: 60_000 }, async () => {
  const needs: string[] = []
  const token = (need: string) => {
    needs.push(need)
    return program.shortToken('baoyu', needs.length === 1 ? 4 : 600)
  }
  const baoyu = await new Person(program, 'baoyu', { token }).live()
  const daiyu = await new Person(program, 'daiyu').live()
  await until(() => needs.length === 2, 'the token is renewed')
  const ended = Date.now() + 5_000 // the first one has ended by then
  for (let i = 0; Date.now() < ended; i++) {
    await daiyu.client.command('/chat/sendMessage', { receiveUserId: 'baoyu', messageContent: `${i}` })
    await baoyu.client.command('/chat/sendMessage', { receiveUserId: 'daiyu', messageContent: `${i}` })
  }
  await until(() => baoyu.texts.length === daiyu.texts.length, 'all is heard')
  expect(baoyu.texts).toEqual(baoyu.texts.map((_, i) => `${i}`))
  expect(needs).toEqual(['first', 'expiring'])
  expect(baoyu.phases).toEqual(['connecting', 'live'])
  baoyu.client.stop()
  daiyu.client.stop()
})

test('without a token function a token that ends, and one that is forged, end the client', { timeout: 60_000 }, async () => {
  const short = await new Person(program, 'baoyu', { token: program.shortToken('baoyu', 2) }).live()
  const forged = new Person(program, 'baoyu', { token: `${program.token('baoyu').slice(0, -6)}AAAAAA` })
  forged.client.start()
  await until(() => short.client.phase.name === 'ended' && forged.client.phase.name === 'ended', 'both have ended')
  expect(short.client.phase).toMatchObject({ reason: 'unauthorized' })
  await expect(forged.client.query('/friend/myFriendList')).rejects.toMatchObject({ reason: 'unauthorized' })
})

test('a cursor of another log is refused: it is told, and the client begins anew', { timeout: 60_000 }, async () => {
  const store = new MemoryStore()
  store.saveCursor('baochai', 'c0-99999999', false)
  const baochai = await new Person(program, 'baochai', { store }).live()
  expect(baochai.problems.map((problem) => problem.kind)).toEqual(['cursor_refused'])
  expect(baochai.lives).toEqual([false])
  expect(store.load('baochai').cursor).not.toContain('99999999')
  baochai.client.stop()
})

test('a message longer than the server takes is refused, and nothing else is lost', { timeout: 60_000 }, async () => {
  const baoyu = await new Person(program, 'baoyu').live()
  const long = baoyu.client.command('/chat/sendMessage', { receiveUserId: 'daiyu', messageContent: '长'.repeat(50_000) })
  const short = baoyu.client.command('/chat/sendMessage', { receiveUserId: 'baochai', messageContent: '短' })
  await expect(long).rejects.toMatchObject({ reason: 'too_long', outcome: 'refused' })
  await expect(short).resolves.toMatchObject({ messageId: expect.any(String) as string })
  await expect(baoyu.client.command('/chat/sendMessage', { receiveUserId: 'daiyu', messageContent: '长'.repeat(6_000) })).rejects.toMatchObject({ reason: 'too_long' }) // by an answer
  baoyu.client.stop()
})

test('over the rate everything goes out all the same, later and in order', { timeout: 60_000 }, async () => {
  const xifeng = await new Person(program, 'xifeng').live()
  const queries = Array.from({ length: 260 }, () => xifeng.client.query('/friend/getFriendGroupList'))
  const texts = Array.from({ length: 10 }, (_, i) => `${i}`)
  const sent = texts.map((messageContent) => xifeng.client.command('/chat/sendMessage', { receiveUserId: 'baoyu', messageContent }))
  await Promise.all([...queries, ...sent])
  expect((await xifeng.history('baoyu')).slice(-10)).toEqual(texts)
  expect(xifeng.phases).toEqual(['connecting', 'live'])
  xifeng.client.stop()
})
