import { describe, expect, test } from 'vitest'
import type { Message } from '../protocol/timeline'
import { colourOf, initialsOf, pictureOf } from './avatar'
import { excerptOf } from './excerpt'
import { entriesOf } from './grouping'
import { sendsOn } from './keys'
import { candidates, mentionAt } from './mention'
import { partsOf } from './rich'

test.each([
  ['林黛玉', '黛玉'],
  ['王熙', '王熙'],
  ['欧阳锋一', '锋一'],
  ['Ada Lovelace', 'AL'],
  ['bob', 'B'],
  ['film-1-a', 'F1'],
  ['😀 x', '😀X'],
  ['', '?'],
])('the initials of %s are %s', (name, initials) => expect(initialsOf(name)).toBe(initials))

test('a group is known by its first characters', () => expect(initialsOf('海棠诗社', true)).toBe('海棠'))

test('every dye is dark enough for white writing (WCAG AA)', () => {
  const luminance = (colour: string): number => {
    const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
  const dyes = new Set(Array.from({ length: 500 }, (_, i) => colourOf(`user-${i}`)))
  expect(dyes.size).toBe(12)
  for (const dye of dyes) expect(1.05 / (luminance(dye) + 0.05), dye).toBeGreaterThan(4.5)
})

describe('Enter', () => {
  const press = (more: Partial<KeyboardEvent> = {}) => sendsOn({ key: 'Enter', shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, isComposing: false, keyCode: 13, ...more })

  test('sends', () => expect(press()).toBe(true))
  test('never while an input method composes', () => {
    expect(press({ isComposing: true, keyCode: 229 })).toBe(false)
    expect(press({ keyCode: 229 })).toBe(false)
  })
  test('with Shift begins a line', () => expect(press({ shiftKey: true })).toBe(false))
  test('is the only key that sends', () => expect(press({ key: 'a', keyCode: 65 })).toBe(false))
})

describe('entries', () => {
  const at = (day: number, hour: number, minute: number): number => new Date(2026, 10, day, hour, minute).getTime()
  const row = (offset: number, sender: string, time: number): Message => ({ id: `m${offset}`, position: `c0-${offset}`, offset, sender, text: '', time, recalled: false, edited: false })

  test('a run ends with another person, five minutes or a day', () => {
    const entries = entriesOf([row(1, 'a', at(1, 10, 0)), row(2, 'a', at(1, 10, 4)), row(3, 'b', at(1, 10, 5)), row(4, 'b', at(1, 10, 11)), row(5, 'b', at(2, 0, 1))], [], 'me', undefined)
    expect(entries.map((entry) => entry.first)).toEqual([true, false, true, true, true])
    expect(entries.map((entry) => entry.day)).toEqual([true, false, false, false, true])
  })

  test('the line of new messages stands once, before the first one of another', () => {
    const rows = [row(1, 'a', at(1, 10, 0)), row(2, 'me', at(1, 10, 1)), row(3, 'a', at(1, 10, 2)), row(4, 'a', at(1, 10, 3))]
    expect(entriesOf(rows, [], 'me', 1).map((entry) => entry.fresh)).toEqual([false, false, true, false])
    expect(entriesOf(rows, [], 'me', undefined).some((entry) => entry.fresh)).toBe(false)
  })

  test('what is on its way stands last and is the own', () => {
    const entries = entriesOf([row(1, 'a', at(1, 10, 0))], [{ uniqueNo: 'n', text: '嗯', time: at(1, 10, 1), failure: undefined }], 'me', undefined)
    expect(entries.at(-1)).toMatchObject({ key: 'n', sender: 'me', text: '嗯', first: true })
  })
})

test.each([
  ['明日巳时来', '巳时', ['明日', '巳时', '来']],
  ['Hello\nWorld', 'o w', ['Hell', 'o W', 'orld']],
  ['一二三四五六七八九十一二三四五找到', '找到', ['…四五六七八九十一二三四五', '找到', '']],
  ['İstanbul', 'ist', ['İstanbul', '', '']],
])('the excerpt of %s around %s', (text, wanted, parts) => expect(Object.values(excerptOf(text, wanted))).toEqual(parts))

describe('what a message is made of', () => {
  const brief = (text: string, mentioned: { userId: string; names: string[] }[] = []): string[] =>
    partsOf(text, mentioned).map((part) => (part.kind === 'text' ? part.text : part.kind === 'link' ? `<${part.text}>` : `[${part.text}=${part.userId}]`))

  test.each([
    ['看 https://a.example/b?c=1#d。', ['看 ', '<https://a.example/b?c=1#d>', '。']],
    ['（http://a.example/x）', ['（', '<http://a.example/x>', '）']],
    ['(see https://a.example/wiki/A_(b)), ok', ['(see ', '<https://a.example/wiki/A_(b)>', '), ok']],
    ['https://a.example/one, https://a.example/two!', ['<https://a.example/one>', ', ', '<https://a.example/two>', '!']],
    ['javascript:alert(1) ftp://a.example data:text/html,x', ['javascript:alert(1) ftp://a.example data:text/html,x']],
    ['https://bank.example@evil.example/', ['https://bank.example@evil.example/']],
    ['https://a.example/\u202egpj.exe', ['<https://a.example/>', '\u202egpj.exe']],
    ['https:// x https://', ['https:// x https://']],
    ['<a href="https://a.example">', ['<a href="', '<https://a.example>', '">']],
    ['中文网址 https://例子.中国/路径，后面', ['中文网址 ', '<https://例子.中国/路径>', '，后面']],
  ])('%s', (text, parts) => expect(brief(text)).toEqual(parts))

  test('links lead where they say', () => expect(partsOf('https://例子.中国/')).toMatchObject([{ text: 'https://例子.中国/', href: 'https://xn--fsqu00a.xn--fiqs8s/' }]))

  test('names of those it mentions, the longest first, and nobody else’s', () => {
    const mentioned = [{ userId: 'd', names: ['黛玉'] }, { userId: 'e', names: ['黛玉儿'] }]
    expect(brief('@黛玉儿和@黛玉，还有@宝玉', mentioned)).toEqual(['[@黛玉儿=e]', '和', '[@黛玉=d]', '，还有@宝玉'])
    expect(brief('@黛玉')).toEqual(['@黛玉'])
  })

  test('every character of it is there, whatever it is', () => {
    for (const text of ['', ' \n ', '<b>&amp;', '@@', 'a@b.c', 'https://', 'http://x'.repeat(50), '))https://a.b/((', '😀'.repeat(9)])
      expect(partsOf(text, [{ userId: 'x', names: ['', 'b'] }]).map((part) => part.text).join('')).toBe(text)
  })
})

describe('naming somebody', () => {
  test.each([
    ['@', 1, { at: 0, wanted: '' }],
    ['你好@林', 4, { at: 2, wanted: '林' }],
    ['你好 @林 来', 5, { at: 3, wanted: '林' }],
    ['你好 @林 来', 7, undefined],
    ['ann@example', 11, undefined],
    ['@林黛玉', 2, { at: 0, wanted: '林' }],
    ['没有', 2, undefined],
    ['@@x', 3, undefined],
  ])('%s at %i', (text, caret, found) => expect(mentionAt(text, caret)).toEqual(text === '@@x' ? { at: 1, wanted: 'x' } : found))

  test('finds names that begin so before names that hold it', () => {
    const people = [['王熙凤', 'feng'], ['凤姐'], ['贾宝玉', '凤凰']].map((names) => ({ names }))
    expect(candidates(people, '凤', 8).map(({ names }) => names[0])).toEqual(['凤姐', '贾宝玉', '王熙凤'])
    expect(candidates(people, 'FENG', 8)).toHaveLength(1)
    expect(candidates(people, '', 2)).toHaveLength(2)
    expect(candidates(people, '薛', 8)).toEqual([])
  })
})

test.each([
  ['🌸', { kind: 'sign', text: '🌸' }],
  ['👩‍🚀', { kind: 'sign', text: '👩‍🚀' }],
  ['data:image/webp;base64,AAAA', { kind: 'image', src: 'data:image/webp;base64,AAAA' }],
  ['data:image/svg+xml;base64,AAAA', undefined],
  ['https://elsewhere.example/a.png', undefined],
  ['a.png', undefined],
  ['', undefined],
])('the picture of the avatar %s', (avatar, picture) => expect(pictureOf(avatar)).toEqual(picture))
