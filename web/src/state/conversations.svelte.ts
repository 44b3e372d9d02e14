import { SvelteMap } from 'svelte/reactivity'
import { offsetOf, type Client, type RecentRow, type Settled } from '@lishi/client'
import { inGroup, isGroup, parseKey, partnerOf, withPerson, type ConversationKey } from '../protocol/conversation'
import { timeOf, type Outgoing, type Revision } from '../protocol/timeline'
import type { Contacts } from './contacts.svelte'
import { Conversation } from './conversation.svelte'
import { QueriedList } from './list.svelte'
import { outgoingOf } from './outgoing'
import type { People } from './people.svelte'

const pageSize = 50
const isGroupRow = (row: RecentRow): boolean => row.type === '1'

/** All conversations, those with the newest word first. */
export class Conversations {
  private readonly all = new SvelteMap<ConversationKey, Conversation>()
  readonly recents: QueriedList<RecentRow>
  private next = $state<string | undefined>()
  private restored = false

  readonly list = $derived.by(() => {
    const keys = new Set<ConversationKey>(this.all.keys())
    for (const row of this.contacts.friends) keys.add(withPerson(row.friendId))
    for (const row of this.contacts.groups.rows) keys.add(inGroup(row.groupId))
    const time = (key: ConversationKey): number => this.all.get(key)?.preview?.time ?? 0
    return [...keys].sort((a, b) => time(b) - time(a) || this.name(a).localeCompare(this.name(b), 'zh-CN'))
  })
  readonly unread = $derived.by(() => [...this.all.values()].reduce((sum, one) => sum + one.unread, 0))
  readonly hasMore = $derived(this.next !== undefined)

  constructor(
    private readonly client: Client,
    private readonly people: People,
    private readonly contacts: Contacts,
    private readonly me: string,
    private readonly revised: (key: ConversationKey, revision: Revision) => void,
  ) {
    this.recents = new QueriedList(async () => {
      const { list, next } = await this.client.query('/friend/getRecentMessageList', { limit: pageSize })
      this.next = list.length < pageSize ? undefined : next
      this.take(list)
      return list
    })
  }

  async loadMore(): Promise<void> {
    if (this.next === undefined) return
    const { list, next } = await this.client.query('/friend/getRecentMessageList', { limit: pageSize, before: this.next })
    this.next = list.length < pageSize ? undefined : next
    this.take(list)
  }

  private take(rows: readonly RecentRow[]): void {
    for (const row of rows) {
      const key = isGroupRow(row) ? inGroup(row.recentId) : withPerson(row.recentId)
      if (isGroupRow(row)) this.contacts.learnGroup(row.recentId, row.name)
      else {
        this.people.hint(row.recentId, row.name)
        this.people.learn(row.recentId, row)
      }
      const recalled = row.recalled ?? false
      const preview = { offset: offsetOf(row.position), sender: row.sendUserId ?? '', text: recalled ? '' : row.content, time: timeOf(row.time, row.lastDate), recalled }
      this.get(key).summarize(preview, row)
    }
  }

  /** The conversation of a key; made where there was none. */
  get(key: ConversationKey): Conversation {
    let conversation = this.all.get(key)
    if (!conversation) {
      conversation = new Conversation(key, this.client, this.people, this.me, () => this.keepFailed(), (revision) => this.revised(key, revision))
      this.all.set(key, conversation)
    }
    return conversation
  }

  find(key: ConversationKey): Conversation | undefined {
    return this.all.get(key)
  }

  name(key: ConversationKey): string {
    return isGroup(key) ? this.contacts.groupName(partnerOf(key)) : this.people.name(partnerOf(key))
  }

  /** Nothing that is shown can be trusted to be without a gap. */
  reset(): void {
    for (const conversation of this.all.values()) conversation.reset()
  }

  // What is on its way is kept by the client. What failed is kept here, for a
  // person to send again or to give up after a reload.
  private get storageKey(): string {
    return `lishi.failed.${this.me}`
  }

  private keepFailed(): void {
    const failed: [ConversationKey, Outgoing][] = []
    for (const [key, { timeline }] of this.all) for (const one of timeline.outgoing) if (one.failure) failed.push([key, one])
    try {
      if (failed.length === 0) sessionStorage.removeItem(this.storageKey)
      else sessionStorage.setItem(this.storageKey, JSON.stringify(failed))
    } catch {
      // A full storage only means that a reload would forget them.
    }
  }

  restoreOutgoing(): void {
    if (this.restored) return
    this.restored = true
    const failed = JSON.parse(sessionStorage.getItem(this.storageKey) ?? '[]') as [string, Outgoing][]
    for (const [key, outgoing] of [...failed, ...this.client.pending.map(outgoingOf).filter((one) => one !== undefined)]) {
      const known = parseKey(key)
      if (known) this.get(known).restore(outgoing)
    }
  }

  /** A message of a window that is gone was answered here. */
  settled(settled: Settled): void {
    const sent = outgoingOf(settled)
    if (!sent) return
    const [key, outgoing] = sent
    if ('result' in settled) this.get(key).sent(outgoing, settled.result)
    else this.get(key).failed(outgoing, settled.error)
  }
}
