import { inGroup, withPerson, type ConversationKey } from '../protocol/conversation'
import { RequestError, type Client, type HistoryRow, type Reason } from '@lishi/client'
import { fromHistory, type Message, type Revision } from '../protocol/timeline'
import type { People } from './people.svelte'

export interface Hit {
  conversation: ConversationKey
  message: Message
}

const pageSize = 20
const settleAfter = 250 // milliseconds without another key before the server is asked

/** Whether lishi searches for such a text: two characters or more, 200 bytes at most. */
export function searchable(text: string): boolean {
  return [...text].length >= 2 && new TextEncoder().encode(text).length <= 200
}

/** Messages that hold a text, the newest first. */
export class Search {
  hits = $state.raw<readonly Hit[]>([])
  text = $state('') // what was asked for; empty: nothing
  loaded = $state(false)
  failure = $state<Reason | undefined>()
  private next = $state<string | undefined>()
  private cancel = (): void => {}

  readonly hasMore = $derived(this.next !== undefined)

  constructor(
    private readonly client: Client,
    private readonly people: People,
    private readonly me: string,
    private readonly later: (ms: number, callback: () => void) => () => void,
  ) {}

  /** Looks for a text as soon as it has not changed for a moment; one too short or too long finds nothing. */
  find(text: string): void {
    const wanted = searchable(text) ? text : ''
    if (wanted === this.text) return
    this.cancel()
    this.text = wanted
    this.hits = []
    this.next = this.failure = undefined
    this.loaded = false
    if (wanted !== '') this.cancel = this.later(settleAfter, () => void this.ask(wanted))
  }

  async loadMore(): Promise<void> {
    if (this.next !== undefined) await this.ask(this.text, this.next)
  }

  private async ask(text: string, before?: string): Promise<void> {
    this.failure = undefined
    try {
      const { list, next } = await this.client.query('/chat/searchMessage', { text, limit: pageSize, ...(before === undefined ? {} : { before }) })
      if (text !== this.text || before !== this.next) return // another search has begun
      this.people.want(list.map((row) => row.sendUserId))
      for (const row of list) this.people.hint(row.sendUserId, row.sendNickName)
      this.hits = [...this.hits, ...list.map((row) => ({ conversation: this.conversationOf(row), message: fromHistory(row) }))]
      this.next = next
      this.loaded = true
    } catch (error) {
      if (text === this.text) this.failure = error instanceof RequestError ? error.reason : 'unknown'
    }
  }

  /** What was recalled is not found any more; what was edited shows its new text, found or not. */
  revise(conversation: ConversationKey, revision: Revision): void {
    const concerned = (hit: Hit): boolean => hit.conversation === conversation && hit.message.offset === revision.offset
    if (!this.hits.some(concerned)) return
    if (revision.change === 'recalled') this.hits = this.hits.filter((hit) => !concerned(hit))
    else this.hits = this.hits.map((hit) => (concerned(hit) ? { ...hit, message: { ...hit.message, text: revision.text, edited: true } } : hit))
  }

  private conversationOf(row: HistoryRow): ConversationKey {
    if (row.groupId !== undefined && row.groupId !== '') return inGroup(row.groupId)
    return withPerson(row.sendUserId === this.me ? row.receiveUserId : row.sendUserId)
  }
}
