import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemoryStore } from '../src/index.ts'
import { Person, Program, until } from './person.ts'

let program: Program
beforeAll(async () => {
  program = await Program.start()
}, 100_000)
afterAll(() => program?.remove())

const words = (who: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${who} 第${i}句 🌸`)

test('what one says the other one hears at once, and both find in the history', { timeout: 60_000 }, async () => {
  const baoyu = await new Person(program, 'baoyu').live()
  const daiyu = await new Person(program, 'daiyu').live()
  const { position, messageId } = await baoyu.client.command('/chat/sendMessage', { receiveUserId: 'daiyu', messageContent: '  妹妹\n' })
  await until(() => daiyu.pushes.length > 0, 'the push comes')
  expect(daiyu.pushes[0]).toMatchObject({ msgType: '1', data: { sendUserId: 'baoyu', messageContent: '  妹妹\n', position, messageId } })
  expect((await daiyu.history('baoyu')).at(-1)).toBe('  妹妹\n')
  await expect(daiyu.client.command('/chat/sendMessage', { receiveUserId: 'xiangyun', messageContent: '?' })).rejects.toMatchObject({ reason: 'not_friend', outcome: 'refused', again: 'no' })
  await expect(daiyu.client.query('/chat/searchMessage', { text: 'x' })).rejects.toMatchObject({ reason: 'bad_request' })
  baoyu.client.stop()
  daiyu.client.stop()
})

test('killed three times while two write: every promise settles, each word stands once, in order, and is heard once', { timeout: 180_000 }, async () => {
  const store = new MemoryStore()
  const baoyu = await new Person(program, 'baoyu', { store }).live()
  const xifeng = await new Person(program, 'xifeng').live()
  const daiyu = await new Person(program, 'daiyu').live()
  const before = { daiyu: await daiyu.history('baoyu'), xifeng: await xifeng.history('baoyu') }
  const said = { daiyu: words('黛玉', 160), xifeng: words('凤姐', 120) }
  let answered = 0
  const outcomes = Object.entries(said).flatMap(([receiveUserId, texts]) =>
    texts.map((messageContent) => baoyu.client.command('/chat/sendMessage', { receiveUserId, messageContent }).finally(() => answered++)),
  )
  const all = Promise.all(outcomes)
  all.catch(() => {}) // looked at below
  for (const mark of [25, 90, 170]) {
    await until(() => answered >= mark, `${mark} answers`)
    await program.kill()
    await program.again()
  }
  const results = await all
  expect(results).toHaveLength(280)
  expect(new Set(results.map((result) => result.position)).size).toBe(280)
  expect(answered).toBe(280)
  expect(baoyu.client.pending).toEqual([])
  expect(store.load('baoyu').commands).toEqual([])
  await until(() => daiyu.texts.length >= 160 && xifeng.texts.length >= 120, 'all words are heard')
  expect(daiyu.texts).toEqual(said.daiyu)
  expect(xifeng.texts).toEqual(said.xifeng)
  expect(await daiyu.history('baoyu')).toEqual([...before.daiyu, ...said.daiyu])
  expect(await baoyu.history('xifeng')).toEqual([...before.xifeng, ...said.xifeng])
  expect(baoyu.phases.filter((name) => name === 'resuming').length).toBeGreaterThanOrEqual(3)
  for (const person of [baoyu, daiyu, xifeng]) person.client.stop()
})

test('written while the server is down, sent by the next life of the program, told, and missed pushes come', { timeout: 120_000 }, async () => {
  const store = new MemoryStore()
  const first = await new Person(program, 'baochai', { store }).live()
  const history = await first.history('daiyu')
  await program.kill()
  await until(() => first.client.phase.name === 'waiting', 'the loss is noticed')
  const texts = words('宝钗', 5)
  const lost = texts.map((messageContent) => first.client.command('/chat/sendMessage', { receiveUserId: 'daiyu', messageContent }).catch((error: unknown) => error))
  first.client.stop()
  for (const outcome of await Promise.all(lost)) expect(outcome).toMatchObject({ reason: 'stopped', outcome: 'kept' })
  await program.again()
  const daiyu = await new Person(program, 'daiyu').live()
  await daiyu.client.command('/chat/sendMessage', { receiveUserId: 'baochai', messageContent: '姐姐不在？' })
  const second = await new Person(program, 'baochai', { store }).live()
  expect(second.lives).toEqual([true])
  expect(second.texts).toEqual(['姐姐不在？'])
  await until(() => second.settled.length === 5, 'the outcomes are told')
  expect(second.settled.map((settled) => ('result' in settled ? settled.params.messageContent : settled.error))).toEqual(texts)
  expect(await second.history('daiyu')).toEqual([...history, '姐姐不在？', ...texts])
  await until(() => daiyu.texts.length === 5, 'the words are heard')
  second.client.stop()
  daiyu.client.stop()
})
