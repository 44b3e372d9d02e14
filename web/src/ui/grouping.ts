import { sameDay } from '../i18n/dates'
import type { Message, Outgoing } from '../protocol/timeline'

/** A message as the list shows it: with what stands before it. */
export interface Entry {
  key: string
  message: Message | undefined
  outgoing: Outgoing | undefined
  sender: string
  text: string
  time: number
  day: boolean // a day begins with it
  fresh: boolean // the line of new messages stands before it
  first: boolean // the first of one person's messages in a row
}

const together = 5 * 60_000

// An entry that is as it was is the same object again, so that one more message
// redraws one row and not all of them.
const shown = new WeakMap<Message | Outgoing, Entry>()

/** Puts messages and what is on its way into one list, with days and runs marked. */
export function entriesOf(rows: readonly Message[], outgoing: readonly Outgoing[], me: string, newAfter: number | undefined): Entry[] {
  const entries: Entry[] = []
  let marked = newAfter === undefined
  for (const message of rows) {
    const fresh = !marked && message.offset > newAfter! && message.sender !== me
    marked ||= fresh
    entries.push(after(entries.at(-1), { key: message.position, message, outgoing: undefined, sender: message.sender, text: message.text, time: message.time }, fresh))
  }
  for (const one of outgoing) {
    entries.push(after(entries.at(-1), { key: one.uniqueNo, message: undefined, outgoing: one, sender: me, text: one.text, time: one.time }, false))
  }
  return entries
}

function after(before: Entry | undefined, entry: Omit<Entry, 'day' | 'fresh' | 'first'>, fresh: boolean): Entry {
  const day = before === undefined || !sameDay(before.time, entry.time)
  const first = day || fresh || before.sender !== entry.sender || Math.abs(entry.time - before.time) > together
  const source = (entry.message ?? entry.outgoing)!
  const known = shown.get(source)
  if (known && known.day === day && known.fresh === fresh && known.first === first) return known
  const made = { ...entry, day, fresh, first }
  shown.set(source, made)
  return made
}
