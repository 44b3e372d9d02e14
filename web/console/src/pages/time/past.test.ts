import { expect, test } from 'vitest'
import { conversationIn, gone, lines, momentIn, textsOf, wrote, type Message } from './past'

const said: Message = { chatMessageId: 'm', sendUserId: 'ann', sendNickName: 'Ann', time: 1, talkContent: 'b', position: 'c0-1', edited: true }
const texts = [
  { position: 'c0-1', change: 'sent' as const, content: 'a', userId: 'ann', time: 1 },
  { position: 'c0-5', change: 'edited' as const, content: 'b', userId: 'ann', time: 2 },
]

test('every text but the last is gone', () => {
  const all = textsOf({ ...said, texts })
  expect(all.map((_, i) => gone(all, i))).toEqual([true, false])
  expect(lines([{ ...said, texts }]).map(({ content }) => content)).toEqual(['a', 'b'])
})

test('what a user saw is one text, or a recall', () => {
  expect(textsOf(said).map(({ change, content }) => [change, content])).toEqual([['edited', 'b']])
  expect(textsOf({ ...said, talkContent: '', recalled: true, operatorUserId: 'bob' }).map(({ change, userId }) => [change, userId])).toEqual([['recalled', 'bob']])
})

test('an event is found by what it wrote', () => {
  expect([wrote({ ...said, texts }, 'c0-5'), wrote({ ...said, texts }, 'c0-6'), wrote(said, undefined)]).toEqual([true, false, false])
})

test('moments and conversations are what people type', () => {
  expect(momentIn(' c3-17 ')).toBe('c3-17')
  expect(momentIn('c3-17,u0-2')).toBe('c3-17,u0-2')
  expect(momentIn('2026-11-23T09:00:00Z')).toBe('2026-11-23T09:00:00.000Z')
  expect([momentIn('yesterday'), momentIn(''), momentIn('2026-99-99')]).toEqual([undefined, undefined, undefined])
  expect([conversationIn('club|1%'), conversationIn(' p|a|b'), conversationIn('')]).toEqual(['g|club%7C1%25', 'p|a|b', ''])
})
