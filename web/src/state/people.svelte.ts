import { SvelteMap } from 'svelte/reactivity'
import type { Client } from '@lishi/client'

interface Known {
  nickName: string
  remarks: string
  avatar: string
}

const atOnce = 4

/** What everybody is called and looks like. Who nobody has told of is looked up, each once. */
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

  /** What others call somebody too. */
  nickName(userId: string): string {
    return this.known.get(userId)?.nickName || userId
  }

  avatar(userId: string): string {
    return this.known.get(userId)?.avatar ?? ''
  }

  /** Takes a name as it was when something was written; what is known already is newer. */
  hint(userId: string, nickName: string | undefined): void {
    if (!this.known.has(userId)) this.learn(userId, { nickName })
  }

  /** Takes what is told of somebody; what is not told stays as it is. */
  learn(userId: string, { nickName, remarks, avatar }: { nickName?: string | undefined; remarks?: string | undefined; avatar?: string | undefined }): void {
    const before = this.known.get(userId)
    const after = { nickName: nickName || before?.nickName || '', remarks: remarks ?? before?.remarks ?? '', avatar: avatar ?? before?.avatar ?? '' }
    if (after.nickName === '' || (before?.nickName === after.nickName && before.remarks === after.remarks && before.avatar === after.avatar)) return
    this.known.set(userId, after)
  }

  /** Asks for those nobody has told of yet. */
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
      const { list } = await this.client.query('/friend/queryFriend', { userNo: userId })
      const row = list.find((one) => one.userId === userId)
      if (row) this.learn(userId, row)
    } catch {
      this.asked.delete(userId) // whoever wants it next asks again
    } finally {
      this.running--
      this.want([])
    }
  }
}
