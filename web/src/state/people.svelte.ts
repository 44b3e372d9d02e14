import { SvelteMap } from 'svelte/reactivity'
import type { Client, UserRow } from '@lishi/client'

interface Known {
  nickName: string
  remarks: string
}

const atOnce = 4

/** What everybody is called. Names that nobody has told are looked up, each once. */
export class People {
  private readonly known = new SvelteMap<string, Known>()
  private readonly asked = new Set<string>()
  private readonly queue: string[] = []
  private running = 0

  constructor(private readonly client: Client) {}

  /** The remark given to a friend, or the nickname, or as long as none is known the user id. */
  name(userId: string): string {
    const known = this.known.get(userId)
    return known?.remarks || known?.nickName || userId
  }

  nickName(userId: string): string {
    return this.known.get(userId)?.nickName || userId
  }

  /** Takes a name as it was when something was written; what is known already is newer. */
  hint(userId: string, nickName: string | undefined): void {
    if (!this.known.has(userId)) this.learn(userId, nickName)
  }

  learn(userId: string, nickName: string | undefined, remarks?: string): void {
    if (nickName === undefined || nickName === '') return
    const before = this.known.get(userId)
    const after = { nickName, remarks: remarks ?? before?.remarks ?? '' }
    if (before?.nickName !== after.nickName || before.remarks !== after.remarks) this.known.set(userId, after)
  }

  /** Asks for the names of those nobody has told yet. */
  want(userIds: Iterable<string>): void {
    for (const userId of userIds) {
      if (userId === '' || this.known.has(userId) || this.asked.has(userId)) continue
      this.asked.add(userId)
      this.queue.push(userId)
    }
    while (this.running < atOnce && this.queue.length > 0) void this.lookUp(this.queue.shift()!)
  }

  private async lookUp(userId: string): Promise<void> {
    this.running++
    try {
      const { list } = await this.client.query<UserRow>('/friend/queryFriend', { userNo: userId })
      const row = list.find((one) => one.userId === userId)
      if (row) this.learn(userId, row.nickName)
    } catch {
      this.asked.delete(userId) // whoever wants it next asks again
    } finally {
      this.running--
      this.want([])
    }
  }
}
