import { RequestError, type Client, type MemberRow, type Reason } from '@lishi/client'
import type { People } from './people.svelte'

const pageSize = 200
const again = 3_000

/** The members of one group by user id, page after page; what a push tells of one is asked for that one alone. */
export class Members {
  rows = $state.raw<readonly MemberRow[]>([])
  loaded = $state(false)
  more = $state(false)
  failure = $state<Reason | undefined>()
  private last: Promise<void> = Promise.resolve()
  private asking = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly client: Client,
    private readonly people: People,
    private readonly groupId: string,
  ) {}

  /** Begins anew with the first page. */
  refresh(): Promise<void> {
    return this.next(async () => {
      const rows = await this.page(undefined, pageSize)
      this.rows = rows
      this.more = rows.length === pageSize
      this.loaded = true
    })
  }

  /** Adds the next page, unless one is under way already. */
  loadMore(): void {
    if (!this.more || this.asking > 0) return
    void this.next(async () => {
      const rows = await this.page(this.rows.at(-1)?.userId, pageSize)
      this.rows = [...this.rows, ...rows]
      this.more = rows.length === pageSize
    })
  }

  /** Something changed for these people: they came, left, or are other than before. */
  touch(users: readonly string[]): void {
    if (!this.loaded && this.asking === 0) return // nobody has asked yet
    if (users.length === 0) void this.refresh()
    for (const user of users) void this.next(() => this.renew(user))
  }

  private async renew(user: string): Promise<void> {
    if (!this.loaded) return // the first page could not be had
    const at = this.rows.findIndex((row) => !before(row.userId, user))
    if (at < 0 && this.more) return // it comes with its page
    let after = this.rows[(at < 0 ? this.rows.length : at) - 1]?.userId
    // Members that nobody has told of yet may stand before this one.
    for (;;) {
      const [next] = await this.page(after, 1)
      this.follow(after, next)
      if (!next || !before(next.userId, user)) return
      after = next.userId
    }
  }

  /** Who follows `after` is `next`, so nobody stands between the two. */
  private follow(after: string | undefined, next: MemberRow | undefined): void {
    const kept = this.rows.filter((row) => (after !== undefined && !before(after, row.userId)) || (next !== undefined && before(next.userId, row.userId)))
    if (next) kept.splice(kept.findLastIndex((row) => before(row.userId, next.userId)) + 1, 0, next)
    this.rows = kept
  }

  private async page(after: string | undefined, limit: number): Promise<MemberRow[]> {
    const { list } = await this.client.query('/group/getGroupUsers', { groupId: this.groupId, limit, ...(after === undefined ? {} : { after }) })
    for (const row of list) this.people.learn(row.userId, row)
    return list
  }

  // One thing after the other: each stands on what the one before has found.
  private next(step: () => Promise<void>): Promise<void> {
    this.asking++
    clearTimeout(this.timer)
    this.last = this.last.then(async () => {
      try {
        await step()
        this.failure = undefined
      } catch (error) {
        this.failure = error instanceof RequestError ? error.reason : 'unknown'
        if (this.failure === 'unavailable' || this.failure === 'unknown' || this.failure === 'rate_limited') this.timer = setTimeout(() => void this.refresh(), again)
      } finally {
        this.asking--
      }
    })
    return this.last
  }

  stop(): void {
    clearTimeout(this.timer)
  }
}

/** The order of user ids on the server: by their bytes in UTF-8, which is that of code points. */
export function before(a: string, b: string): boolean {
  const [x, y] = [Array.from(a), Array.from(b)]
  const at = x.findIndex((char, i) => char !== y[i])
  return at < 0 ? x.length < y.length : y[at] !== undefined && x[at]!.codePointAt(0)! < y[at].codePointAt(0)!
}
