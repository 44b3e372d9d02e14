// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { fitting, moments, numbers, Turns, weekdays, type Answer } from './figures'


const answer = (zone: string, rows: (string | number | null)[][]): Answer => ({
  figure: 'messages', from: '', to: '', zone, sql: '', readRows: 0, elapsedMs: 0, rows,
  columns: [{ name: 'period', type: 'Date' }, { name: 'messages', type: 'UInt64' }, { name: 'median', type: 'Nullable(Float64)' }],
})

describe('figures', () => {
  test('days begin when the zone’s do, hours are moments', () => {
    const rows = [['2018-11-03', 1, null], ['2018-11-04', 2, 0.5]]
    // In São Paulo the clocks leapt from 0 to 1 o’clock on the fourth.
    expect(moments(answer('America/Sao_Paulo', rows), 'period').map((at) => new Date(at).toISOString())).toEqual(['2018-11-03T03:00:00.000Z', '2018-11-04T03:00:00.000Z'])
    expect(moments(answer('UTC', [['2026-11-01T05:00:00.000Z', 1, 1]]), 'period')).toEqual([Date.UTC(2026, 10, 1, 5)])
    expect(numbers(answer('UTC', rows), 'median')).toEqual([null, 0.5])
  })

  test('a period fits the time', () => {
    const day = 86_400_000
    expect([1, 4, 5, 120, 121, 900, 901, 3660, 3661].map((days) => fitting(0, days * day))).toEqual(['hour', 'hour', 'day', 'day', 'week', 'week', 'month', 'month', 'year'])
  })

  test('weeks begin where they are told to', () => {
    expect(weekdays('monday')).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(weekdays('sunday')).toEqual([7, 1, 2, 3, 4, 5, 6])
    expect(weekdays('saturday')).toEqual([6, 7, 1, 2, 3, 4, 5])
  })
})

test('few questions at a time, in their order; one that is given up is not asked', async () => {
  const turns = new Turns(2)
  const asked: number[] = []
  const answers: (() => void)[] = []
  const given = [1, 2, 3, 4].map(() => new AbortController())
  const all = given.map((controller, i) =>
    turns.take(controller.signal, () => {
      asked.push(i)
      return new Promise<number>((resolve) => answers.push(() => resolve(i)))
    }),
  )
  expect(asked).toEqual([0, 1])
  given[2]!.abort()
  answers[1]!()
  await expect(all[1]).resolves.toBe(1)
  await expect(all[2]).rejects.toThrow()
  await expect.poll(() => asked).toEqual([0, 1, 3])
  answers[2]!()
  answers[0]!()
  await expect(Promise.all([all[0], all[3]])).resolves.toEqual([0, 3])
})
