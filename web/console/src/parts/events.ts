// Events as the server shows them, for the pages that list them.
import { say } from './texts'

export interface LogEvent {
  position: string
  stream?: string
  type?: string
  written?: string
  id?: string
  revision?: number
  prev?: string
  basis?: number
  actor?: string
  actorName?: string
  request?: string
  imported?: boolean
  said?: string
  recorded?: string
  judged: boolean
  void: boolean
  verdict?: string
  why?: string
  payload?: unknown
  raw?: { key: string; headers: { name: string; value: string }[]; value: string; base64?: boolean }
  problem?: string
}

type Key = keyof (typeof say)['zh']
const word = (verdict: string): string => verdict.replace(/\W+/g, '_')

/** The verdict in the reader's language; a later server's word as it stands. */
export function verdictText(verdict: string): string {
  const key = `verdict_${word(verdict)}`
  return key in say.zh ? say(key as Key) : verdict
}

/** What happened, in the reader's words: of message.sent. A later server's type as it stands. */
export function typeText(type: string | undefined): string {
  const key = `type_${word(type ?? '')}`
  return key in say.zh ? say(key as Key) : (type ?? '')
}

export function whyVoid(event: LogEvent): string {
  if (!event.judged) return say('unjudgedWhy')
  const key = `why_${word(event.verdict ?? '')}`
  return key in say.zh ? say(key as Key) : (event.why ?? '')
}

/** The gist of a payload on one line: what was said, or its facts. */
export function summary(event: LogEvent): string {
  const payload = event.payload as Record<string, unknown> | undefined
  if (!payload) return event.problem ?? ''
  const content = payload.content as { plain?: unknown } | undefined
  if (typeof content?.plain === 'string') return content.plain
  return Object.entries(payload)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' · ')
}

/** Who did what, on one line. */
export function gist(event: LogEvent): string {
  return [who(event), event.payload ? summary(event) : ''].filter(Boolean).join(': ')
}

/** Who: the name then, with the id beside it. */
export function who(event: LogEvent): string {
  if (!event.actor) return ''
  return event.actorName && event.actorName !== event.actor ? `${event.actorName} (${event.actor})` : event.actor
}

/** What a position is: c3-17, or undefined where a text is none. */
export function positionOf(text: string): string | undefined {
  return /^[a-z]\d{1,5}-\d{1,19}$/.test(text.trim()) ? text.trim() : undefined
}
