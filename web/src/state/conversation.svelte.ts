import { isGroup, targetOf, type ConversationKey } from '../protocol/conversation'
import { keepsIdentity, offsetOf, positionAfter, RequestError, type Client, type Commands, type Reason, type RecentRow } from '@lishi/client'
import * as timelines from '../protocol/timeline'
import { atNewest, emptyTimeline, type Message, type Outgoing, type Revision, type Timeline } from '../protocol/timeline'
import { Draft, type Words } from './draft.svelte'
import { sendingOf } from './outgoing'
import type { People } from './people.svelte'
import { Quotes } from './quotes'
import { Revising } from './revising.svelte'

const pageSize = 50
const contextSize = 30 // messages on either side of one that is jumped to

export interface Preview {
  offset: number // of the message it shows; -1: not known yet
  sender: string // empty where it is not known
  text: string
  time: number
  recalled: boolean
}

type Sent = Partial<Commands['/chat/sendMessage']['result']>

/** One conversation as this window knows it. */
export class Conversation {
  timeline = $state.raw<Timeline>(emptyTimeline)
  preview = $state.raw<Preview | undefined>(undefined)
  unread = $state(0)
  /** Unread messages that name the own user. */
  mentions = $state(0)
  /** The newest message of another one that was pushed, for those who listen. */
  heard = $state.raw<Message | undefined>()
  readonly draft = new Draft()
  readonly revising: Revising
  readonly quotes: Quotes
  loading = $state<'newest' | 'older' | 'newer' | undefined>()
  failure = $state<Reason | undefined>()
  /** The message that was jumped to, by offset; the page goes there once. */
  target = $state<number | undefined>()
  found = $state<number | undefined>()
  /** How far the other one of a pair has read; -1 while that is unknown. */
  peerRead = $state(-1)
  /** The new messages' line stands after this offset; undefined: no line. */
  newAfter = $state<number | undefined>()
  /** Whether the page shows the end and somebody looks at it. */
  following = true
  private readOffset = -1
  private seen = -1 // the newest message that somebody has looked at
  private marking = false
  private turn = 0 // pages asked for before the window began anew are dropped
  private revisedMeanwhile: Revision[] = [] // since the page under way was asked for

  readonly atNewest = $derived(atNewest(this.timeline))

  constructor(
    readonly key: ConversationKey,
    private readonly client: Client,
    private readonly people: People,
    private readonly me: string,
    private readonly outgoingChanged: () => void,
    private readonly revised: (revision: Revision) => void,
  ) {
    this.revising = new Revising(client, me, (revision) => this.revise(revision))
    this.quotes = new Quotes(async (position) => {
      const [row] = await this.page({ before: positionAfter(position) }, 1)
      return row?.position === position ? row : undefined
    })
  }

  /** Takes a message that was pushed. */
  receive(message: Message): void {
    this.timeline = timelines.receive(this.timeline, message, this.following)
    if (message.sender !== this.me) {
      this.heard = message
      if (message.offset > this.readOffset) {
        this.unread++
        if (message.at?.includes(this.me)) this.mentions++
      }
    }
    this.show(message)
  }

  show(message: Message): void {
    if ((this.preview?.time ?? 0) > message.time) return
    const { offset, sender, text, time, recalled } = message
    this.preview = { offset, sender, text, time, recalled }
  }

  /** A message was edited or recalled, by whomever. */
  revise(revision: Revision): void {
    const { offset, sender } = revision
    const known = this.timeline.rows.find((row) => row.offset === offset)
    const recalled = revision.change === 'recalled'
    if (recalled && !known?.recalled && sender !== this.me && offset > this.readOffset) {
      this.unread = Math.max(0, this.unread - 1)
      if (known?.at?.includes(this.me)) this.mentions = Math.max(0, this.mentions - 1)
    }
    this.revising.heard(revision)
    this.quotes.revise(revision)
    if (this.loading !== undefined) this.revisedMeanwhile.push(revision)
    this.timeline = timelines.revise(this.timeline, revision)
    this.revised(revision)
    if (this.preview?.offset === offset) this.preview = { ...this.preview, text: recalled ? '' : revision.text, recalled }
  }

  /** Takes what the list of recent conversations says. */
  summarize(preview: Preview, { total, mentions, readPosition, peerReadPosition }: Pick<RecentRow, 'total' | 'mentions' | 'readPosition' | 'peerReadPosition'>): void {
    if ((this.preview?.time ?? 0) <= preview.time) this.preview = preview
    this.readOffset = Math.max(this.readOffset, offsetOf(readPosition))
    // What was read here meanwhile may not have reached the list yet.
    const all = preview.offset >= 0 && preview.offset <= this.readOffset
    this.unread = all ? 0 : total
    this.mentions = all ? 0 : (mentions ?? 0)
    if (peerReadPosition !== undefined) this.peerReadTo(peerReadPosition)
  }

  /** Somebody opens it: the line of new messages is drawn once, the newest page is loaded. */
  open(): void {
    this.newAfter = this.unread > 0 ? this.readOffset : undefined
    if (!this.timeline.loaded) void this.loadNewest()
  }

  close(): void {
    this.newAfter = this.target = this.found = undefined
    this.following = true
  }

  /** What is shown may have a gap: ask anew. */
  reset(): void {
    this.timeline = timelines.forget(this.timeline)
    this.quotes.forget()
    this.loading = undefined
    this.turn++
  }

  async loadNewest(): Promise<void> {
    await this.load('newest', {}, (page) => timelines.loadNewest(this.timeline, page, pageSize))
  }

  async loadOlder(): Promise<void> {
    const before = this.timeline.rows[0]?.position
    if (before === undefined || this.timeline.atOldest) return
    await this.load('older', { before }, (page) => timelines.loadOlder(this.timeline, before, page, pageSize))
  }

  async loadNewer(): Promise<void> {
    const after = this.timeline.rows.at(-1)?.position
    if (after === undefined || this.atNewest) return
    const newest = this.timeline.newest
    await this.load('newer', { after }, (page) => timelines.loadNewer(this.timeline, after, page, newest))
  }

  async jumpToNewest(): Promise<void> {
    if (this.atNewest) return
    this.reset()
    await this.loadNewest()
  }

  /** Shows a message where it stands, among what was said around it. */
  async jumpTo({ offset, position }: Pick<Message, 'offset' | 'position'>): Promise<void> {
    this.target = this.found = offset
    if (this.timeline.rows.some((row) => row.offset === offset)) return
    const { newest } = this.timeline
    this.reset()
    await this.load('newest', { before: positionAfter(position) }, async (upTo) => {
      const after = await this.page({ after: position }, contextSize)
      return () => timelines.loadAround({ ...this.timeline, newest: Math.max(newest, this.timeline.newest) }, upTo, after, contextSize)
    }, contextSize)
  }

  private async page(bound: Record<string, string>, limit: number): Promise<Message[]> {
    const url = isGroup(this.key) ? '/group/loadMoreMessage' : '/friend/loadMoreMessage'
    const { list } = await this.client.query(url, { ...targetOf(this.key), ...bound, limit })
    for (const row of list) this.people.learn(row.sendUserId, { nickName: row.sendNickName, avatar: row.avatar })
    this.people.want(list.map((row) => row.sendUserId))
    return list.map(timelines.fromHistory)
  }

  private async load(
    what: 'newest' | 'older' | 'newer',
    bound: Record<string, string>,
    put: (page: Message[]) => Timeline | Promise<() => Timeline>,
    limit = pageSize,
  ): Promise<void> {
    if (this.loading !== undefined) return
    this.loading = what
    this.revisedMeanwhile = []
    this.failure = undefined
    const turn = this.turn
    try {
      const page = await this.page(bound, limit)
      if (turn !== this.turn) return
      const made = put(page)
      const timeline = made instanceof Promise ? await made : () => made
      if (turn !== this.turn) return
      // The page may be older than what was pushed while it was on its way.
      this.timeline = this.revisedMeanwhile.reduce(timelines.revise, timeline())
    } catch (error) {
      if (turn === this.turn) this.failure = error instanceof RequestError ? error.reason : 'unknown'
    } finally {
      if (turn === this.turn) this.loading = undefined
    }
  }

  /** Sends a message. It shows at once and is marked sent only when it is in the log. */
  async send(words: Words): Promise<void> {
    if (!this.atNewest) await this.jumpToNewest()
    this.deliver({ uniqueNo: this.client.newId(), ...words, time: Date.now(), failure: undefined }, false)
  }

  /** Sends again what failed: as the same request, unless its refusal stands in the log. */
  sendAgain(outgoing: Outgoing): void {
    const same = outgoing.failure === undefined || keepsIdentity(outgoing.failure.reason)
    this.timeline = timelines.discard(this.timeline, outgoing.uniqueNo)
    this.deliver({ ...outgoing, uniqueNo: same ? outgoing.uniqueNo : this.client.newId(), failure: undefined }, same)
  }

  /** Takes what an earlier life of this page had not seen answered, or had seen refused. */
  restore(outgoing: Outgoing): void {
    if (outgoing.failure) this.timeline = timelines.depart(this.timeline, outgoing)
    else this.deliver(outgoing, true)
  }

  discard(outgoing: Outgoing): void {
    this.timeline = timelines.discard(this.timeline, outgoing.uniqueNo)
    this.outgoingChanged()
  }

  private deliver(outgoing: Outgoing, repeated: boolean): void {
    this.timeline = timelines.depart(this.timeline, outgoing)
    this.preview = { offset: -1, sender: this.me, text: outgoing.text, time: outgoing.time, recalled: false }
    const { preview } = this
    const { url, params } = sendingOf(this.key, outgoing)
    this.client.command(url, params, { uniqueNo: outgoing.uniqueNo, repeated }).then(
      (result) => {
        if (this.preview === preview) this.preview = undefined // its time was this machine's
        this.sent(outgoing, result)
      },
      (error: unknown) => this.failed(outgoing, error),
    )
  }

  /** It stands in the log. */
  sent({ uniqueNo, text, time, replyTo, at }: Outgoing, result: Sent): void {
    const { position = '', messageId: id = uniqueNo } = result
    const message: Message = { id, position, offset: offsetOf(position), sender: this.me, text, time: result.time ?? time, recalled: false, edited: false, ...(replyTo && { replyTo }), ...(at && { at }) }
    this.timeline = timelines.acknowledge(this.timeline, uniqueNo, message)
    this.show(message)
    this.outgoingChanged()
  }

  /** It was refused, or nobody knows. */
  failed(outgoing: Outgoing, error: unknown): void {
    if (error instanceof RequestError && error.outcome === 'kept') return // the next life of the page sends it
    const { reason, detail } = error instanceof RequestError ? error : { reason: 'unknown' as const, detail: '' }
    this.timeline = timelines.fail(timelines.depart(this.timeline, outgoing), outgoing.uniqueNo, reason, detail)
    this.outgoingChanged()
  }

  /** Moves the own read mark to a message that was looked at, by default the newest one. */
  async markRead(offset = Number.MAX_SAFE_INTEGER): Promise<void> {
    this.seen = Math.max(this.seen, this.timeline.rows.findLast((row) => row.offset <= offset)?.offset ?? -1)
    if (this.marking) return
    this.marking = true
    while (this.readOffset < this.seen && (await this.moveMark())) {
      // More may have been looked at meanwhile.
    }
    this.marking = false
  }

  /** Tells that everything up to `seen` is read. Gives whether it is worth going on. */
  private async moveMark(): Promise<boolean> {
    const before = this.readOffset
    const last = this.timeline.rows.findLast((row) => row.offset <= this.seen)
    if (!last || last.offset <= before) return false
    this.readOffset = last.offset
    if (this.atNewest && last === this.timeline.rows.at(-1)) this.unread = this.mentions = 0
    else this.recount(this.unread - this.fromOthers(before, last.offset).length)
    if (this.fromOthers(before, last.offset, true).length === 0) return true // the own words need no mark
    try {
      await this.client.command('/chat/readMessage', { ...targetOf(this.key), position: last.position }, { keep: false })
      return true
    } catch {
      return false // The mark only ever moves forward: the next message read moves it further.
    }
  }

  private fromOthers(after: number, upTo: number, recalled = false): Message[] {
    return this.timeline.rows.filter((row) => row.offset > after && row.offset <= upTo && row.sender !== this.me && (recalled || !row.recalled))
  }

  private recount(unread: number): void {
    this.unread = Math.max(0, unread)
    this.mentions = Math.min(this.mentions, this.fromOthers(this.readOffset, Number.MAX_SAFE_INTEGER).filter((row) => row.at?.includes(this.me)).length)
  }

  /** The own mark moved, here or in another window. */
  readTo(position: string): void {
    const offset = offsetOf(position)
    if (offset <= this.readOffset) return
    this.readOffset = offset
    this.recount(this.fromOthers(offset, Number.MAX_SAFE_INTEGER).length)
  }

  peerReadTo(position: string): void {
    this.peerRead = Math.max(this.peerRead, offsetOf(position))
  }
}
