// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import type { LogEvent } from '../../parts/events'
import { Lines, most, type Item } from './follower.svelte'

const event = (n: number): Item => ({ event: { position: `c0-${n}`, judged: true, void: false } as LogEvent })
const told = (lines: Lines): string[] => lines.shown.map((line) => ('event' in line ? line.event.position : `${line.here ? 'here' : 'there'} ${line.skipped}`))

describe('what the live tail shows', () => {
  test('is newest first, with what was skipped in its place', () => {
    const lines = new Lines()
    lines.take([event(1), { skipped: 3 }, { skipped: 2 }, event(2), { at: 'c0-2' }])
    expect(told(lines)).toEqual(['c0-2', 'there 5', 'c0-1'])
    expect([lines.events, lines.skipped]).toEqual([2, 5])
  })

  test('has each event once, also after the connection was made again', () => {
    const lines = new Lines()
    lines.take([event(1), event(2)])
    lines.take([event(2), event(3)])
    expect(told(lines)).toEqual(['c0-3', 'c0-2', 'c0-1'])
  })

  test('is bounded, and so is what waits: what comes on top is counted, and nothing is told twice', () => {
    const lines = new Lines()
    lines.take(Array.from({ length: 3 * most }, (_, n) => event(n)))
    expect(lines.shown).toHaveLength(most)
    lines.pause()
    lines.take(Array.from({ length: most + 7 }, (_, n) => event(10_000 + n)))
    lines.take([event(20_000), { skipped: 4 }])
    expect(told(lines)[0]).toBe(`c0-${3 * most - 1}`)
    lines.resume()
    expect(told(lines).slice(0, 3)).toEqual(['there 4', 'here 8', `c0-${10_000 + most - 1}`])
    expect([lines.skipped, lines.shown.length, lines.waiting.length]).toEqual([12, most, 0])
  })
})
