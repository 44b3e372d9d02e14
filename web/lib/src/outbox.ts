import { backoff } from './backoff.ts'
import type { Environment } from './environment.ts'
import type { Reason, Result, ResultObject } from './frames.ts'

/** A request that the server refused, or whose outcome stays unknown. */
export class RequestError extends Error {
  constructor(
    readonly reason: Reason,
    readonly detail: string,
    readonly uniqueNo: string,
  ) {
    super(detail === '' ? reason : detail)
  }
}

/**
 * Whether a repeat must keep the uniqueNo: yes as long as the first one may
 * have happened or may still happen. After a refusal for a relation's sake the
 * log may hold a void record under that id which would decide for ever, so the
 * repeat is a new request.
 */
export function keepsIdentity(reason: Reason): boolean {
  switch (reason) {
    case 'not_friend':
    case 'not_member':
    case 'blocked':
    case 'muted':
    case 'conflict':
      return false
    default:
      return true
  }
}

interface Entry {
  uniqueNo: string
  url: string
  params: Record<string, unknown>
  command: boolean
  repeated: boolean // has been on the wire before, perhaps in an earlier life of the page
  refusals: number // answers that asked for another try
  sentAt: number // on this connection; -1: not yet
  waiting: (() => void) | undefined // cancels the pause before the next try
  resolve: (obj: ResultObject) => void
  reject: (error: RequestError) => void
}

const answerWithin = 20_000
const tries = { unavailable: 4, rate_limited: 6, unknown: 6 } as const

/**
 * Requests on their way, in the order they were made. While there is no live
 * connection they wait; after a resume whatever was not answered is sent
 * again with the same uniqueNo, which never does a thing twice.
 */
export class Outbox {
  private readonly entries = new Map<string, Entry>()
  private transmit: ((text: string) => void) | undefined

  constructor(
    private readonly token: string,
    private readonly environment: Environment,
  ) {}

  /** Sends a request now or as soon as there is a live connection; settles with its answer. */
  add(
    url: string,
    params: Record<string, unknown>,
    options: { command: boolean; uniqueNo?: string; repeated?: boolean },
  ): Promise<ResultObject> {
    const uniqueNo = options.uniqueNo ?? this.environment.newId()
    return new Promise((resolve, reject) => {
      const entry: Entry = {
        uniqueNo,
        url,
        params,
        command: options.command,
        repeated: options.repeated ?? false,
        refusals: 0,
        sentAt: -1,
        waiting: undefined,
        resolve,
        reject,
      }
      this.entries.get(uniqueNo)?.waiting?.()
      this.entries.set(uniqueNo, entry)
      this.put(entry)
    })
  }

  /** The connection is live: everything unanswered goes out, oldest first. */
  connect(transmit: (text: string) => void): void {
    this.transmit = transmit
    for (const entry of this.entries.values()) if (!entry.waiting) this.put(entry)
  }

  /** The connection is gone: what is unanswered may or may not have happened. */
  disconnect(): void {
    this.transmit = undefined
    for (const entry of this.entries.values()) entry.sentAt = -1
  }

  /** Ends every request, since nobody will answer any more. */
  end(reason: Reason, detail: string): void {
    this.disconnect()
    for (const entry of [...this.entries.values()]) this.settle(entry, () => entry.reject(new RequestError(reason, detail, entry.uniqueNo)))
  }

  /** Sends again what has waited too long for an answer on a connection that seems well. */
  sweep(): void {
    const now = this.environment.now()
    for (const entry of this.entries.values()) {
      if (entry.sentAt >= 0 && !entry.waiting && now - entry.sentAt > answerWithin) this.put(entry)
    }
  }

  /** Takes an answer; false where no request waits for it. */
  answer(result: Result): boolean {
    const entry = this.entries.get(result.obj.uniqueNo)
    if (!entry) return false
    if (result.code === 200) {
      this.settle(entry, () => entry.resolve(result.obj))
      return true
    }
    const reason = result.obj.reason ?? 'bad_request'
    const pause = this.pauseBeforeRepeat(entry, reason, result.obj.retryAfterMs)
    if (pause === undefined) {
      const error = new RequestError(reason, result.obj.detail ?? result.msg, entry.uniqueNo)
      this.settle(entry, () => entry.reject(error))
    } else {
      entry.sentAt = -1
      entry.waiting?.() // two answers to two sendings make one pause
      entry.waiting = this.environment.later(pause, () => {
        entry.waiting = undefined
        this.put(entry)
      })
    }
    return true
  }

  private pauseBeforeRepeat(entry: Entry, reason: Reason, retryAfterMs: number | undefined): number | undefined {
    if (reason !== 'unavailable' && reason !== 'rate_limited' && reason !== 'unknown') return undefined
    if (entry.refusals >= tries[reason]) return undefined
    const attempt = entry.refusals++
    if (reason === 'rate_limited' && retryAfterMs !== undefined) return retryAfterMs
    return backoff(attempt, this.environment.random(), reason === 'unknown' ? 100 : 500, 4_000)
  }

  private put(entry: Entry): void {
    if (!this.transmit) return
    const params: Record<string, unknown> = { token: this.token, uniqueNo: entry.uniqueNo, ...entry.params }
    if (entry.command && entry.repeated) params.resend = true
    entry.repeated = true
    entry.sentAt = this.environment.now()
    this.transmit(JSON.stringify({ url: entry.url, params }))
  }

  private settle(entry: Entry, tell: () => void): void {
    entry.waiting?.()
    if (this.entries.get(entry.uniqueNo) === entry) this.entries.delete(entry.uniqueNo)
    tell()
  }
}
