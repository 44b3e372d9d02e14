import { backoff } from './backoff.ts'
import type { Environment } from './environment.ts'
import { RequestError, type Outcome, type Reason } from './errors.ts'
import type { Result, ResultObject } from './frames.ts'
import { laneOf } from './lanes.ts'
import { attempt, type Promised } from './promised.ts'
import type { KeptCommand } from './store.ts'

export interface RequestOptions {
  /** Milliseconds after which the request is given up. Without it waits as long as it takes. */
  timeoutMs?: number | undefined
  /** Gives the request up when it is aborted. */
  signal?: AbortSignal | undefined
}

export interface CommandOptions extends RequestOptions {
  /** The id of the request, 1 to 64 characters; a new one unless given. The same id never does a thing twice. */
  uniqueNo?: string | undefined
  /** Says that a command with this uniqueNo may have been sent before. */
  repeated?: boolean | undefined
  /** Whether the store keeps it until it is answered (default true). */
  keep?: boolean | undefined
}

/** A command that is not answered yet. */
export type Pending = Pick<KeptCommand, 'uniqueNo' | 'url' | 'params' | 'at'>

/** Where commands are kept until they are answered. */
export interface Keeper {
  put(command: Pending): Promised<void>
  remove(uniqueNo: string): void
}

export interface OutboxHooks {
  /** The token that requests carry. */
  token(): string
  /** The token was refused; gives whether there will be another one. */
  renew(): boolean
  /** A command of an earlier life was answered, for which nobody waits. */
  settled(command: Pending, outcome: ResultObject | RequestError): void
}

interface Waiter {
  resolve: (obj: ResultObject) => void
  reject: (error: RequestError) => void
  release: () => void
}

interface Entry extends Pending {
  lane: string | undefined // of a command: those of one lane go out one after the other
  keeping: boolean // the store has not taken it yet
  kept: boolean
  sent: boolean // has been on the wire, perhaps in an earlier life
  sentAt: number // on this connection; -1: not yet
  length: number // of the frame
  refusals: number // answers that asked for another try
  renewals: number // answers that asked for another token
  waiting: (() => void) | undefined // cancels the pause before the next try
  waiters: Waiter[]
}

const answerWithin = 20_000
const mostFlying = 64 // more would only wait at the server, and be refused in one go where the rate is exceeded
const tries = { unavailable: 5, unknown: 8 } as const

/**
 * Requests on their way. Commands of a conversation go out one after the other,
 * in the order they were made, each when the one before it is answered; queries
 * go side by side. While there is no live connection they wait; after a resume
 * whatever was not answered is sent again with the same uniqueNo, which never
 * does a thing twice.
 */
export class Outbox {
  private entries = new Map<string, Entry>()
  private lanes = new Map<string, Entry[]>()
  private transmit: ((text: string) => void) | undefined
  private keeper: Keeper | undefined
  private ended: { reason: Reason; detail: string } | undefined
  private flying = 0 // requests on this connection that are not answered yet
  private pace = 0 // over the rate: one request goes out each so many milliseconds; 0: as they come
  private stopPace: (() => void) | undefined
  private lastAt = 0
  private commands = 0

  constructor(
    private readonly environment: Environment,
    private readonly hooks: OutboxHooks,
    private readonly limit: number,
    private readonly keeps: boolean, // there will be a keeper
  ) {}

  /** Commands that are not answered yet, oldest first. */
  get pending(): Pending[] {
    return [...this.entries.values()].filter(isCommand).map(({ uniqueNo, url, params, at }) => ({ uniqueNo, url, params, at }))
  }

  /** The store is there: what was made before it came is kept now, behind what it held. */
  open(keeper: Keeper, kept: readonly Pending[]): void {
    this.keeper = keeper
    const made = [...this.entries.values()]
    this.entries = new Map()
    this.lanes = new Map()
    this.commands = 0
    this.restore(kept)
    for (const entry of made) {
      const before = this.entries.get(entry.uniqueNo)
      if (before) {
        before.waiters.push(...entry.waiters)
        continue
      }
      this.enter(entry)
      if (entry.keeping) this.keepNow(entry)
    }
  }

  /** Takes over commands of an earlier life, or of another tab that is gone. */
  restore(kept: readonly Pending[]): void {
    for (const { uniqueNo, url, params, at } of kept) {
      if (this.entries.has(uniqueNo)) continue
      this.lastAt = Math.max(this.lastAt, at)
      const entry = newEntry(uniqueNo, url, params, at, laneOf(url, params))
      entry.kept = entry.sent = true
      this.enter(entry)
      this.go(entry)
    }
  }

  /** Sends a request now or as soon as it may go; settles with its answer, once. */
  add(url: string, params: object, command: boolean, options: CommandOptions = {}): Promise<ResultObject> {
    const uniqueNo = options.uniqueNo ?? this.environment.newId()
    const refuse = (reason: Reason, detail: string) => Promise.reject(new RequestError(reason, detail, uniqueNo, 'refused', url))
    if (options.signal?.aborted) return refuse('aborted', '')
    if (this.ended) return refuse(this.ended.reason, this.ended.detail)
    const copy = JSON.parse(JSON.stringify(params)) as Record<string, unknown> // what the caller does to it later changes nothing
    const known = this.entries.get(uniqueNo)
    if (known && (known.url !== url || JSON.stringify(known.params) !== JSON.stringify(copy))) {
      return refuse('conflict', 'another request with this uniqueNo is under way')
    }
    if (!known && command && this.commands >= this.limit) return refuse('queue_full', `${this.limit} commands wait already`)
    return new Promise((resolve, reject) => {
      const entry = known ?? this.make(uniqueNo, url, copy, command, options)
      this.wait(entry, { resolve, reject, release: () => {} }, options)
      if (known) return
      if (entry.keeping && this.keeper) this.keepNow(entry)
      else this.go(entry)
    })
  }

  /** Gives a request up: nobody sends it again. False where there is none. */
  withdraw(uniqueNo: string, reason: Reason, detail: string): boolean {
    const entry = this.entries.get(uniqueNo)
    if (entry) this.reject(entry, reason, detail, entry.sent ? 'unknown' : 'refused')
    return entry !== undefined
  }

  /** The connection is live: everything unanswered goes out, oldest first. */
  connect(transmit: (text: string) => void): void {
    this.transmit = transmit
    this.goAll()
  }

  /** The connection is gone: what is unanswered may or may not have happened. */
  disconnect(): void {
    this.transmit = undefined
    for (const entry of this.entries.values()) this.land(entry)
  }

  /** The server does not take the longest of the frames under way: no repeat could help. */
  shed(): void {
    const longest = [...this.entries.values()].filter((entry) => entry.sentAt >= 0).sort((a, b) => b.length - a.length)[0]
    if (longest) this.reject(longest, 'too_long', 'the server closed the connection for a message that is too long', 'refused')
  }

  /** Ends every request, since nobody will answer any more. What the store keeps stays there. */
  end(reason: Reason, detail: string): void {
    this.disconnect()
    this.ended = { reason, detail }
    this.stopPace?.()
    for (const entry of [...this.entries.values()]) {
      this.leave(entry)
      const error = new RequestError(reason, detail, entry.uniqueNo, entry.kept || entry.keeping ? 'kept' : entry.sent ? 'unknown' : 'refused', entry.url)
      for (const waiter of entry.waiters) waiter.reject(error)
    }
  }

  /** Sends again what has waited too long for an answer on a connection that seems well. */
  sweep(): void {
    const now = this.environment.now()
    for (const entry of this.entries.values()) {
      if (entry.sentAt < 0 || now - entry.sentAt <= answerWithin) continue
      this.land(entry)
      this.go(entry)
    }
  }

  /** Takes an answer; one for which no request waits changes nothing. */
  answer({ code, msg, obj }: Result): void {
    const entry = this.entries.get(obj.uniqueNo)
    if (!entry) return
    if (code === 200) return this.resolve(entry, obj)
    const reason = obj.reason ?? 'bad_request'
    const { waiting } = entry // two answers to two sendings make one pause
    if (waiting) return
    if (reason === 'rate_limited') return this.slowDown(entry, obj.retryAfterMs)
    if (reason === 'unauthorized' && entry.renewals++ === 0 && this.hooks.renew()) {
      this.land(entry) // goes out again with the new token
      return
    }
    if ((reason === 'unavailable' || reason === 'unknown') && entry.refusals < tries[reason]) {
      const pause = backoff(entry.refusals++, this.environment.random(), reason === 'unknown' ? 200 : 1000, 8_000)
      this.land(entry)
      entry.waiting = this.environment.later(pause, () => {
        entry.waiting = undefined
        this.go(entry)
      })
      return
    }
    this.reject(entry, reason, obj.detail ?? msg, reason === 'unknown' ? 'unknown' : 'refused')
  }

  private make(uniqueNo: string, url: string, params: Record<string, unknown>, command: boolean, options: CommandOptions): Entry {
    this.lastAt = Math.max(this.lastAt + 1, this.environment.date())
    const entry = newEntry(uniqueNo, url, params, this.lastAt, command ? laneOf(url, params) : undefined)
    entry.sent = options.repeated ?? false
    entry.keeping = command && this.keeps && (options.keep ?? true)
    this.enter(entry)
    return entry
  }

  private wait(entry: Entry, waiter: Waiter, { timeoutMs, signal }: RequestOptions): void {
    const aborted = () => this.withdraw(entry.uniqueNo, 'aborted', '')
    const stopTimer = timeoutMs === undefined ? undefined : this.environment.later(timeoutMs, () => this.withdraw(entry.uniqueNo, 'timeout', `no answer within ${timeoutMs} ms`))
    signal?.addEventListener('abort', aborted, { once: true })
    waiter.release = () => {
      stopTimer?.()
      signal?.removeEventListener('abort', aborted)
    }
    entry.waiters.push(waiter)
  }

  // A command is sent only once the store has it.
  private keepNow(entry: Entry): void {
    const { keeper } = this
    attempt(
      () => keeper?.put(entry),
      () => {
        entry.keeping = false
        entry.kept = true
        if (this.entries.get(entry.uniqueNo) === entry) this.go(entry)
        else if (!this.ended) keeper?.remove(entry.uniqueNo) // withdrawn meanwhile
      },
      (error) => this.reject(entry, 'queue_full', `the store did not take it: ${String(error)}`, 'refused'),
    )
  }

  private enter(entry: Entry): void {
    this.entries.set(entry.uniqueNo, entry)
    if (entry.lane === undefined) return
    this.commands++
    const lane = this.lanes.get(entry.lane)
    if (lane) lane.push(entry)
    else this.lanes.set(entry.lane, [entry])
  }

  private leave(entry: Entry): void {
    this.land(entry)
    entry.waiting?.()
    for (const waiter of entry.waiters) waiter.release()
    this.entries.delete(entry.uniqueNo)
    if (entry.lane === undefined) return
    this.commands--
    const rest = this.lanes.get(entry.lane)?.filter((one) => one !== entry) ?? []
    if (rest.length > 0) this.lanes.set(entry.lane, rest)
    else this.lanes.delete(entry.lane)
  }

  private goAll(): void {
    for (const entry of this.entries.values()) this.go(entry)
  }

  private go(entry: Entry): void {
    if (this.pace === 0 && this.mayGo(entry)) this.send(entry)
  }

  private mayGo(entry: Entry): boolean {
    if (!this.transmit || this.flying >= mostFlying || entry.keeping || entry.waiting || entry.sentAt >= 0) return false
    return entry.lane === undefined || this.lanes.get(entry.lane)?.[0] === entry
  }

  private send(entry: Entry): void {
    const params: Record<string, unknown> = { token: this.hooks.token(), uniqueNo: entry.uniqueNo, ...entry.params }
    if (isCommand(entry) && entry.sent) params.resend = true
    const text = JSON.stringify({ url: entry.url, params })
    entry.sent = true
    entry.sentAt = this.environment.now()
    entry.length = text.length
    this.flying++
    this.transmit?.(text)
  }

  private land(entry: Entry): void {
    if (entry.sentAt >= 0) this.flying--
    entry.sentAt = -1
  }

  // The rate is the user's, so nothing goes out until there is room again, and
  // then one after the other: who sent everything at once would be refused at once.
  private slowDown(entry: Entry, retryAfterMs: number | undefined): void {
    this.land(entry)
    this.pace = Math.max(1, retryAfterMs ?? backoff(entry.refusals++, this.environment.random(), 1000, 8_000))
    this.stopPace?.()
    this.stopPace = this.environment.later(this.pace, () => this.step())
  }

  private step(): void {
    for (const entry of this.entries.values()) {
      if (!this.mayGo(entry)) continue
      this.send(entry)
      this.stopPace = this.environment.later(this.pace, () => this.step())
      return
    }
    this.pace = 0
  }

  private resolve(entry: Entry, obj: ResultObject): void {
    this.settle(entry)
    for (const waiter of entry.waiters) waiter.resolve(obj)
    if (entry.waiters.length === 0) this.hooks.settled(entry, obj)
  }

  private reject(entry: Entry, reason: Reason, detail: string, outcome: Outcome): void {
    this.settle(entry)
    const error = new RequestError(reason, detail, entry.uniqueNo, outcome, entry.url)
    for (const waiter of entry.waiters) waiter.reject(error)
    if (entry.waiters.length === 0) this.hooks.settled(entry, error)
  }

  private settle(entry: Entry): void {
    this.leave(entry)
    if (entry.kept) this.keeper?.remove(entry.uniqueNo)
    this.goAll()
  }
}

const isCommand = (entry: Entry): boolean => entry.lane !== undefined

function newEntry(uniqueNo: string, url: string, params: Record<string, unknown>, at: number, lane: string | undefined): Entry {
  return { uniqueNo, url, params, at, lane, keeping: false, kept: false, sent: false, sentAt: -1, length: 0, refusals: 0, renewals: 0, waiting: undefined, waiters: [] }
}
