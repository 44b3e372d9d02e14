import { ownReasons, reasons } from '@lishi/client'
import { describe, expect, test } from 'vitest'
import { clock, dayName, shortTime } from './dates'
import { en } from './en'
import { zh, type Key } from './zh'

const keys = Object.keys(zh) as Key[]
const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort()

const sources = import.meta.glob<string>(['../**/*.{svelte,ts}', '!./**', '!../**/*.test.ts'], { query: '?raw', import: 'default', eager: true })
const source = (path: string): string => sources[path] ?? ''

describe('the dictionaries', () => {
  test('have the same keys', () => {
    expect(Object.keys(en).sort()).toEqual([...keys].sort())
  })

  test('have the same placeholders under each key, and no empty text', () => {
    for (const key of keys) {
      expect([key, placeholders(en[key])]).toEqual([key, placeholders(zh[key])])
      expect(en[key].trim() && zh[key].trim(), key).not.toBe('')
    }
  })

  test('have no key that the page does not use', () => {
    const text = Object.values(sources).join('\n')
    expect(text.length).toBeGreaterThan(50_000)
    const built = (key: Key): boolean => key.startsWith('reason_') || key.endsWith('Notice')
    expect(keys.filter((key) => !built(key) && !text.includes(`'${key}'`))).toEqual([])
  })

  test('have a text for every reason and every notice of the protocol', () => {
    const pushes = source('../protocol/pushes.ts')
    const notices = [...pushes.slice(pushes.indexOf('interface Notice'), pushes.indexOf('userId: string //')).matchAll(/\| '(\w+)'/g)].map((match) => `${match[1]}Notice`)
    expect(notices).toHaveLength(12)
    const words = [...[...reasons, ...ownReasons].map((reason) => `reason_${reason}`), ...notices]
    expect(words.filter((key) => !(key in zh))).toEqual([])
    expect(keys.filter((key) => (key.startsWith('reason_') || key.endsWith('Notice')) && !words.includes(key))).toEqual([])
  })
})

describe('times', () => {
  const now = new Date(2026, 10, 23, 9, 5).getTime()
  const at = (year: number, month: number, day: number, hour = 23, minute = 59): number => new Date(year, month - 1, day, hour, minute).getTime()

  test('a clock has two digits and no twelve hours', () => {
    expect(clock(at(2026, 11, 23, 0, 5), 'zh-CN')).toBe('00:05')
    expect(clock(at(2026, 11, 23, 14, 5), 'en')).toBe('14:05')
  })

  test('days are those of the calendar, not 24 hours', () => {
    expect(dayName(at(2026, 11, 23, 0, 0), now, 'zh-CN')).toBe('今天')
    expect(dayName(at(2026, 11, 22), now, 'zh-CN')).toBe('昨天')
    expect(dayName(at(2026, 11, 22), now, 'en')).toBe('Yesterday')
    expect(dayName(at(2026, 3, 5), now, 'zh-CN')).toBe('3月5日星期四')
    expect(dayName(at(2020, 7, 2), now, 'zh-CN')).toBe('2020年7月2日')
  })

  test('the list is short, and silent where nothing was said', () => {
    expect(shortTime(at(2026, 11, 23, 8, 0), now, 'zh-CN')).toBe('08:00')
    expect(shortTime(at(2026, 11, 22), now, 'zh-CN')).toBe('昨天')
    expect(shortTime(at(2026, 11, 20), now, 'zh-CN')).toBe('周五')
    expect(shortTime(at(2020, 7, 2), now, 'zh-CN')).toBe('2020/7/2')
    expect(shortTime(0, now, 'zh-CN')).toBe('')
  })
})
