// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { href, readPlace } from '../shell/address.svelte'
import { ago, exact, moment, momentOf, wall } from '../shell/times'

const now = Date.parse('2026-11-23T21:05:09.123Z')

describe('bounds', () => {
  test.each([
    ['now', now],
    ['-15m', now - 900_000],
    ['-24h', now - 86_400_000],
    ['-7d', now - 7 * 86_400_000],
    ['-2w', now - 14 * 86_400_000],
    ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['2026-01-02T03:04:05.678Z', Date.UTC(2026, 0, 2, 3, 4, 5, 678)],
    ['', undefined],
    ['yesterday', undefined],
    ['-3y', undefined],
    ['2026-99-99T00:00', undefined],
  ])('%s', (bound, expected) => expect(moment(bound, now)).toBe(expected))
})

describe('zones', () => {
  test('a moment is written in a zone', () => {
    expect(exact(now, 'Asia/Shanghai')).toBe('2026-11-24 05:05:09')
    expect(exact('2026-11-23T21:05:09.123Z', 'UTC', true)).toBe('2026-11-23 21:05:09.123')
  })

  test('wall clocks become moments and back, also around a change of clocks', () => {
    for (const zone of ['UTC', 'Asia/Shanghai', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe', 'Europe/Berlin']) {
      for (let hour = 0; hour < 24 * 366; hour += 7) {
        const at = Date.UTC(2026, 0, 1) + hour * 3_600_000
        const there = wall(at, zone)
        // Where clocks show a time twice, the other moment is as right.
        expect(wall(momentOf(there, zone)!, zone)).toBe(there)
      }
    }
    expect(momentOf('2026-11-24T05:05', 'Asia/Shanghai')).toBe(Date.parse('2026-11-23T21:05:00Z'))
    // On 29 March 2026 clocks leap from 2 to 3 in Berlin.
    expect(momentOf('2026-03-29T02:30', 'Europe/Berlin')).toBe(Date.parse('2026-03-29T01:30:00Z'))
    expect(momentOf('nonsense', 'UTC')).toBeUndefined()
  })

  test('what was is told by how long ago', () => {
    expect(ago(now - 180_000, now, 'en')).toBe('3 min. ago')
    expect(ago(now - 3 * 86_400_000, now, 'zh-CN')).toBe('3天前')
  })
})

describe('the address', () => {
  test('keeps filters, and leaves out what is not set', () => {
    const place = readPlace('#/explorer?stream=p%7Ca%7Cb&from=-24h')
    expect([place.page, place.params.get('stream')]).toEqual(['explorer', 'p|a|b'])
    expect(href('explorer', { stream: 'g|1 2', void: false, type: '' }, place.params)).toBe('#/explorer?stream=g%7C1+2&from=-24h')
    expect(href('tail', {})).toBe('#/tail')
    expect(readPlace('').page).toBe('')
    expect(readPlace('#token=a.b.c').page).toBe('')
  })
})
