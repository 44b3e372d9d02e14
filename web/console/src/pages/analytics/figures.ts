// What the server says of figures, and what charts need of it.
import { momentOf } from '../../shell/times'

export interface Figure {
  name: string
  title: string
  doc: string
  chart: { kind: 'lines' | 'bars' | 'heatmap' | 'ranking'; x: string; y: string[]; unit?: string }
  parameters: string[]
  columns: { name: string; doc: string }[]
}

export type Value = string | number | null

export interface Answer {
  figure: string
  from: string
  to: string
  zone: string
  sql: string
  columns: { name: string; type: string }[]
  rows: Value[][]
  readRows: number
  elapsedMs: number
}

export const periods = ['hour', 'day', 'week', 'month', 'year'] as const
export const weeks = ['monday', 'sunday', 'saturday'] as const
export const imports = ['with', 'without', 'only'] as const
export type Period = (typeof periods)[number]
export type Week = (typeof weeks)[number]

const day = 86_400_000

/** The period that makes a chart of some ten to a hundred points of a time. */
export function fitting(from: number, to: number): Period {
  const days = (to - from) / day
  if (days <= 4) return 'hour'
  if (days <= 120) return 'day'
  if (days <= 900) return 'week'
  return days <= 3660 ? 'month' : 'year'
}

/** The values of a column. */
export function values(answer: Answer, name: string): Value[] {
  const at = answer.columns.findIndex((column) => column.name === name)
  return answer.rows.map((row) => row[at] ?? null)
}

export function numbers(answer: Answer, name: string): (number | null)[] {
  return values(answer, name).map((value) => (value === null ? null : Number(value)))
}

/** The moments of a column of periods: days begin when the zone's do. */
export function moments(answer: Answer, name: string): number[] {
  return values(answer, name).map((value) => momentOfPeriod(String(value), answer.zone))
}

function momentOfPeriod(period: string, zone: string): number {
  return /^\d{4}-\d\d-\d\d$/.test(period) ? (momentOf(`${period}T00:00`, zone) ?? NaN) : Date.parse(period)
}

/** The week's seven days (1 is Monday), beginning with the chosen one. */
export function weekdays(first: Week): number[] {
  const begins = { monday: 1, saturday: 6, sunday: 7 }[first]
  return Array.from({ length: 7 }, (_, i) => ((begins - 1 + i) % 7) + 1)
}

/** At most so many questions at a time; the others wait in their order. */
export class Turns {
  private free: number
  private readonly waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.free = atOnce
  }

  async take<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next) next()
      else this.free++
    }
  }
}
