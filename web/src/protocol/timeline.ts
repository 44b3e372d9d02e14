import { offsetOf, type GroupMessageData, type HistoryRow, type MessageData, type Reason } from '@lishi/client'

/** A message that is in the log. */
export interface Message {
  id: string
  position: string
  offset: number
  sender: string
  text: string
  time: number // Unix milliseconds
  recalled: boolean
  edited: boolean
  changedBy?: string // who edited it last or recalled it
  changedAt?: number // when, in Unix milliseconds
  replyTo?: string // position of the message that it answers
  at?: readonly string[] // whom it names
}

/** What became of a message that is in the log; by whom and when, where that is known. */
export type Revision = { offset: number; sender: string; by?: string; time?: number } & ({ change: 'edited'; text: string } | { change: 'recalled' })

/** A message of the own user that is on its way, or was refused. */
export interface Outgoing {
  uniqueNo: string
  text: string
  replyTo?: string
  at?: readonly string[]
  time: number
  failure: { reason: Reason; detail: string } | undefined
}

/**
 * A window on a conversation: consecutive messages in log order, then what is
 * on its way. Values never change; every function gives a new one.
 */
export interface Timeline {
  rows: readonly Message[]
  outgoing: readonly Outgoing[]
  loaded: boolean // a page has been asked for and received
  atOldest: boolean // nothing is known to be older than the first row
  newest: number // the greatest offset known of this conversation; -1: none
}

export const emptyTimeline: Timeline = { rows: [], outgoing: [], loaded: false, atOldest: false, newest: -1 }

/** Rows kept in memory and on the page. What leaves the window is asked for again. */
export const windowSize = 400

/** Whether the window reaches the newest message. */
export function atNewest(timeline: Timeline): boolean {
  return lastOf(timeline.rows) >= timeline.newest
}

/** Takes a message pushed live or from the backlog; one that is there already changes nothing. */
export function receive(timeline: Timeline, message: Message, following = true): Timeline {
  const reached = atNewest(timeline)
  const newest = Math.max(timeline.newest, message.offset)
  const first = timeline.rows[0]
  const above = timeline.loaded && !timeline.atOldest && first !== undefined && message.offset < first.offset
  const outside = above || (!reached && message.offset > lastOf(timeline.rows))
  // Somebody reads far up: their rows stay, the new one is fetched when they come down.
  const full = timeline.rows.length >= windowSize && !following
  if (outside || full) return { ...timeline, newest }
  return trimTop({ ...timeline, rows: union([message], timeline.rows), newest })
}

/** Shows a message as it was edited, or that it was recalled; one outside the window comes so with its page. */
export function revise(timeline: Timeline, revision: Revision): Timeline {
  const at = timeline.rows.findIndex((row) => row.offset === revision.offset)
  const before = timeline.rows[at]
  if (!before || before.recalled) return timeline
  return { ...timeline, rows: timeline.rows.with(at, revised(before, revision)) }
}

/** A message as it stands after a change of it. */
export function revised(message: Message, revision: Revision): Message {
  const after = { ...message, ...(revision.by !== undefined && { changedBy: revision.by }), ...(revision.time !== undefined && { changedAt: revision.time }) }
  if (revision.change === 'recalled') return { ...after, text: '', recalled: true, edited: false }
  return { ...after, text: revision.text, edited: true }
}

/** Takes the newest page. The window must be empty (see forget) or reach the newest message. */
export function loadNewest(timeline: Timeline, page: readonly Message[], limit: number): Timeline {
  const rows = union(timeline.rows, page)
  const newest = Math.max(timeline.newest, lastOf(rows))
  return trimTop({ ...timeline, rows, loaded: true, atOldest: page.length < limit, newest })
}

/** Takes the page before a position, unless the window moved away from it meanwhile. */
export function loadOlder(timeline: Timeline, before: string, page: readonly Message[], limit: number): Timeline {
  if (timeline.rows[0]?.position !== before) return timeline
  return { ...timeline, rows: union(page, timeline.rows).slice(0, windowSize), atOldest: page.length < limit }
}

/**
 * Takes the page after a position, unless the window moved away from it
 * meanwhile. An empty page means that there is nothing newer, as far as was
 * known when it was asked for.
 */
export function loadNewer(timeline: Timeline, after: string, page: readonly Message[], newestThen: number): Timeline {
  if (timeline.rows.at(-1)?.position !== after) return timeline
  const rows = union(timeline.rows, page)
  const nothing = page.length === 0 && timeline.newest === newestThen
  return trimTop({ ...timeline, rows, newest: nothing ? lastOf(rows) : Math.max(timeline.newest, lastOf(rows)) })
}

/**
 * Takes the pages up to and after some message, instead of what is there. A full
 * page after it means that there may be more, which is asked for like the rest.
 */
export function loadAround(timeline: Timeline, upTo: readonly Message[], after: readonly Message[], limit: number): Timeline {
  const rows = union(upTo, after)
  const known = lastOf(rows) + (after.length < limit ? 0 : 1)
  return { ...timeline, rows, loaded: true, atOldest: upTo.length < limit, newest: Math.max(timeline.newest, known) }
}

/** Begins again without rows; what is on its way stays. */
export function forget(timeline: Timeline): Timeline {
  return { ...emptyTimeline, outgoing: timeline.outgoing }
}

export function depart(timeline: Timeline, outgoing: Outgoing): Timeline {
  return { ...timeline, outgoing: [...timeline.outgoing.filter((one) => one.uniqueNo !== outgoing.uniqueNo), outgoing] }
}

/** The server refused it, or nobody knows. */
export function fail(timeline: Timeline, uniqueNo: string, reason: Reason, detail: string): Timeline {
  const outgoing = timeline.outgoing.map((one) => (one.uniqueNo === uniqueNo ? { ...one, failure: { reason, detail } } : one))
  return { ...timeline, outgoing }
}

export function discard(timeline: Timeline, uniqueNo: string): Timeline {
  return { ...timeline, outgoing: timeline.outgoing.filter((one) => one.uniqueNo !== uniqueNo) }
}

/** It is in the log: it leaves the outgoing ones and stands among the rows, once. */
export function acknowledge(timeline: Timeline, uniqueNo: string, message: Message): Timeline {
  return receive(discard(timeline, uniqueNo), message)
}

export function fromPush(data: MessageData & Partial<GroupMessageData>): Message {
  return {
    id: data.messageId,
    position: data.position,
    offset: offsetOf(data.position),
    sender: data.sendUserId,
    text: data.messageContent,
    time: timeOf(data.time, data.receiveDate),
    recalled: false,
    edited: false,
    ...(data.replyTo && { replyTo: data.replyTo }),
    ...(data.atUserIds && { at: data.atUserIds }),
  }
}

export function fromHistory(row: HistoryRow): Message {
  return {
    id: row.chatMessageId,
    position: row.position,
    offset: offsetOf(row.position),
    sender: row.sendUserId,
    text: row.recalled ? '' : row.talkContent,
    time: timeOf(row.time, row.talkDate),
    recalled: row.recalled ?? false,
    edited: (row.edited ?? false) && !row.recalled,
    ...(row.operatorUserId && { changedBy: row.operatorUserId }),
    ...(row.changeTime && { changedAt: row.changeTime }),
    ...(row.replyTo && { replyTo: row.replyTo }),
    ...(row.atUserIds && { at: row.atUserIds }),
  }
}

/** Milliseconds of a row: `time`, or else its date read as a local one. */
export function timeOf(time: number | undefined, date: string | undefined): number {
  if (time !== undefined) return time
  const parsed = date === undefined ? Number.NaN : Date.parse(date.replace(' ', 'T'))
  return Number.isNaN(parsed) ? 0 : parsed
}

function union(older: readonly Message[], newer: readonly Message[]): readonly Message[] {
  const byOffset = new Map<number, Message>()
  for (const message of older) byOffset.set(message.offset, message)
  for (const message of newer) byOffset.set(message.offset, message)
  return [...byOffset.values()].sort((a, b) => a.offset - b.offset)
}

function lastOf(rows: readonly Message[]): number {
  return rows.at(-1)?.offset ?? -1
}

function trimTop(timeline: Timeline): Timeline {
  if (timeline.rows.length <= windowSize) return timeline
  return { ...timeline, rows: timeline.rows.slice(-windowSize), atOldest: false }
}
