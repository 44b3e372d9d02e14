import { Cursor } from './position.ts'
import { attempt, type Promised } from './promised.ts'
import type { Push } from './pushes.ts'

/** The application, as its inbox sees it. */
export interface Application {
  /** Takes a push; done when the promise is fulfilled, or at once. */
  take(push: Push): Promised<unknown>
  /** The cursor has moved. */
  moved(): void
  /** A push was not taken: it and what followed have to come again. */
  failed(error: unknown, push: Push): void
  /** Pushes were let pass while too many waited; they have to come again. */
  caughtUp(): void
}

type Item = { push: Push } | { reached: string } | { call: () => void }

/**
 * Pushes on their way to the application: one after another, each position
 * once, in the order of the log per prefix. The cursor follows what was taken,
 * never what was only received.
 */
export class Inbox {
  private received = new Cursor() // with this a lost connection is resumed, since what waits here is not lost
  private taken = new Cursor() // with this the next life of the application begins
  private waiting: Item[] = []
  private busy = false
  private behind = false
  private life = 0 // counts up when everything begins anew, so what still runs is ignored

  constructor(
    private readonly application: Application,
    private readonly limit: number,
  ) {}

  /** What has been received; empty where a login begins live. */
  get reached(): string {
    return this.received.toString()
  }

  /** What has been taken by the application. */
  get cursor(): string {
    return this.taken.toString()
  }

  /** Begins behind a cursor of an earlier life, or without one. */
  begin(cursor: string): void {
    this.life++
    this.taken = Cursor.parse(cursor)
    this.received = this.taken.clone()
    this.waiting = []
    this.busy = this.behind = false
  }

  /** Nothing is handed over any more; the cursor stays. */
  stop(): void {
    this.begin(this.cursor)
  }

  /** A push came. One that came before is passed over. */
  push(push: Push): void {
    const { position } = push.data
    if (this.behind || this.received.covers(position)) return
    if (this.waiting.length >= this.limit) {
      // Unread frames would pile up in memory. The log has them: let them pass,
      // and resume when the application has taken what waits.
      this.behind = true
      return
    }
    this.received.advance(position)
    this.add({ push })
  }

  /** A login, a success or the end of a backlog said how far this connection is. */
  reach(cursor: string | undefined): void {
    if (this.behind || cursor === undefined) return
    this.received.merge(cursor)
    this.add({ reached: cursor })
  }

  /** Calls back when everything that came before has been taken. */
  then(call: () => void): void {
    this.add({ call })
  }

  private add(item: Item): void {
    this.waiting.push(item)
    if (!this.busy) this.run()
  }

  private run(): void {
    const { life } = this
    this.busy = true
    while (this.busy && life === this.life) {
      const item = this.waiting.shift()
      if (!item) break
      if ('push' in item) {
        if (!this.hand(item.push)) return // goes on when it is taken
      } else if ('reached' in item) this.move(item.reached)
      else item.call()
    }
    if (life !== this.life) return
    this.busy = false
    if (this.behind) {
      this.behind = false
      this.application.caughtUp()
    }
  }

  // True where the push was taken at once.
  private hand(push: Push): boolean {
    const { life } = this
    let atOnce = true
    let taken = false
    attempt(
      () => this.application.take(push),
      () => {
        if (life !== this.life) return
        taken = true
        this.move(push.data.position)
        if (!atOnce) this.run()
      },
      (error) => {
        if (life !== this.life) return
        this.begin(this.cursor)
        this.application.failed(error, push)
      },
    )
    atOnce = false
    return taken
  }

  private move(cursor: string): void {
    const before = this.cursor
    this.taken.merge(cursor)
    if (this.cursor !== before) this.application.moved()
  }
}
