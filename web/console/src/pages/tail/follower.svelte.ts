import type { LogEvent } from '../../parts/events'
import { api, Refused, type Params } from '../../shell/api'

/** What the server says on a line. */
export interface Item {
  event?: LogEvent
  skipped?: number
  at?: string
}

/** A line of the list: an event, or how many were left out there, and where: by the server, or here while paused. */
export type Line = { key: string; event: LogEvent } | { key: string; skipped: number; here: boolean }

/** How many lines are kept, and how many wait while the list is paused. */
export const most = 500

/** The lines that are shown, newest first; bounded, however much comes. */
export class Lines {
  shown = $state.raw<Line[]>([])
  waiting = $state.raw<Line[]>([])
  paused = $state(false)
  events = $state(0)
  skipped = $state(0)
  private count = 0
  private seen = new Set<string>()

  take(items: readonly Item[]): void {
    let fresh: Line[] = []
    for (const { event, skipped } of items) {
      if (skipped) {
        fresh = this.skip(fresh, skipped, false)
        this.skipped += skipped
      } else if (event && !this.seen.has(event.position)) {
        // After a lost connection what was there comes again.
        this.seen.add(event.position)
        fresh.unshift({ key: event.position, event })
      }
    }
    if (this.seen.size > 20 * most) this.seen = new Set([...this.seen].slice(-10 * most))
    if (!this.paused) this.show(fresh)
    else this.wait(fresh)
  }

  private skip(lines: Line[], skipped: number, here: boolean): Line[] {
    const [first, ...rest] = lines
    if (first && 'skipped' in first && first.here === here) return [{ ...first, skipped: first.skipped + skipped }, ...rest]
    return [{ key: `skipped-${this.count++}`, skipped, here }, ...lines]
  }

  private show(fresh: Line[]): void {
    if (fresh.length === 0) return
    this.events += fresh.filter((line) => 'event' in line).length
    this.shown = [...fresh, ...this.shown].slice(0, most)
  }

  // While paused the first ones wait, in their place; what comes on top of them is counted.
  private wait(fresh: Line[]): void {
    let waiting = this.waiting
    for (const line of fresh.toReversed()) {
      if ('skipped' in line) waiting = this.skip(waiting, line.skipped, line.here)
      else if (waiting.length < most) waiting = [line, ...waiting]
      else {
        waiting = this.skip(waiting, 1, true)
        this.skipped++
      }
    }
    this.waiting = waiting
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    const waiting = this.waiting
    this.waiting = []
    this.show(waiting)
  }

  clear(): void {
    this.shown = []
    this.events = this.skipped = 0
  }
}

export type State = 'connecting' | 'live' | 'lost' | 'failed'

/** Follows the log until it is ended; a lost connection is made again from where it broke. */
export class Follower {
  state = $state<State>('connecting')
  problem = $state.raw<unknown>()
  private readonly ending = new AbortController()
  private readonly next = new Map<string, number>() // of each partition, what was not seen yet
  private pending: Item[] = []
  private drawing: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly lines: Lines,
    private readonly params: Params,
  ) {
    void this.run()
  }

  end(): void {
    this.ending.abort()
    clearTimeout(this.drawing)
  }

  private async run(): Promise<void> {
    const { signal } = this.ending
    for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 10_000)) {
      try {
        await api.lines<Item>('/api/tail', { params: { ...this.params, from: [...this.next].map(([partition, offset]) => `${partition}-${offset}`).join(',') }, signal, begun: () => (this.state = 'live') }, (item) => {
          wait = 500
          this.take(item)
        })
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof Refused && !['offline', 'unavailable', 'rate_limited', 'internal'].includes(error.reason)) {
          this.problem = error
          this.state = 'failed'
          return
        }
      }
      this.state = 'lost'
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }

  private passed(position: string): void {
    const cut = position.lastIndexOf('-')
    const partition = position.slice(0, cut)
    this.next.set(partition, Math.max(this.next.get(partition) ?? 0, Number(position.slice(cut + 1)) + 1))
  }

  // Whatever comes within a tenth of a second is shown at once.
  private take(item: Item): void {
    const positions = item.event ? [item.event.position] : (item.at?.split(',') ?? [])
    for (const position of positions) this.passed(position)
    this.pending.push(item)
    this.drawing ??= setTimeout(() => {
      this.drawing = undefined
      this.lines.take(this.pending.splice(0))
    }, 100)
  }
}
