import type { LogEvent } from './answers'

/** What an event says, for people: a message's text, else its payload. */
export function said({ payload }: LogEvent): string {
  if (payload === undefined || payload === null) return ''
  const content = (payload as { content?: { plain?: unknown } }).content
  return typeof content?.plain === 'string' ? content.plain : JSON.stringify(payload)
}
