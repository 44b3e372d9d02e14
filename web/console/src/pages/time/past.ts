// What the server tells of the past, and what the page makes of it.
import type { Column } from '../../parts/table'

export interface Moment {
  time: string
  positions: string
}

export interface Answer<Row> {
  asOf: Moment
  list: Row[]
  next?: string
}

export interface Step {
  position: string
  time: string
}

export interface Span {
  asOf: Moment
  first?: Step
  last?: Step
  at?: Step
  previous?: Step
  next?: Step
}

export interface Text {
  position: string
  change: 'sent' | 'edited' | 'recalled'
  content: string
  userId: string
  time: number
}

export interface Message {
  chatMessageId: string
  sendUserId: string
  sendNickName: string
  time: number
  talkContent: string
  replyTo?: string
  position: string
  edited?: boolean
  recalled?: boolean
  operatorUserId?: string
  changeTime?: number
  texts?: Text[] // of those who see all
  older?: boolean
}

export interface Member {
  userId: string
  nickName: string
  role?: string // of a group
  mutedUntil?: number
  friends?: boolean // of two people
  blocked?: boolean
}

export interface Group {
  groupName: string
  notice: string
  memberCount: number
}

/** The texts of a message, oldest first; of one that is seen as a user saw it, the last alone. */
export function textsOf(m: Message): Text[] {
  if (m.texts) return m.texts
  const shown: Text = { position: m.position, change: m.edited ? 'edited' : 'sent', content: m.talkContent, userId: m.sendUserId, time: m.time }
  return m.recalled ? [{ ...shown, change: 'recalled', userId: m.operatorUserId ?? '', time: m.changeTime ?? 0 }] : [shown]
}

/** Whether a text did not count any more: another one had replaced it, or a recall taken it away. */
export function gone(all: readonly Text[], i: number): boolean {
  return i < all.length - 1
}

/** Whether an event, by its position, wrote a message or one of its texts. */
export function wrote(m: Message, position: string | undefined): boolean {
  return position !== undefined && textsOf(m).some((text) => text.position === position)
}

/** The moment that a person means: a position or a time; undefined where it is neither. */
export function momentIn(words: string): string | undefined {
  const text = words.trim()
  if (/^[a-z]\d+-\d+(,[a-z]\d+-\d+)*$/.test(text)) return text
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}

/** A conversation as it stands in the address, from what a person typed: g|club, club, p|a|b. */
export function conversationIn(words: string): string {
  const text = words.trim()
  return text === '' || /^[gp]\|/.test(text) ? text : `g|${text.replaceAll('%', '%25').replaceAll('|', '%7C')}`
}

export interface Line extends Text {
  message: string
  sender: string
}

/** Every version of every message, for a file. */
export function lines(messages: readonly Message[]): Line[] {
  return messages.flatMap((m) => textsOf(m).map((text) => ({ ...text, message: m.position, sender: m.sendUserId })))
}

export function lineColumns(label: (key: 'position' | 'time' | 'sender' | 'change' | 'content' | 'user' | 'messages') => string): Column<Line>[] {
  return [
    { key: 'message', label: label('messages'), value: (l) => l.message },
    { key: 'sender', label: label('sender'), value: (l) => l.sender },
    { key: 'position', label: label('position'), value: (l) => l.position },
    { key: 'change', label: label('change'), value: (l) => l.change },
    { key: 'time', label: label('time'), value: (l) => new Date(l.time).toISOString() },
    { key: 'user', label: label('user'), value: (l) => l.userId },
    { key: 'content', label: label('content'), value: (l) => l.content },
  ]
}
