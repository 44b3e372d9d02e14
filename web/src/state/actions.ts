import type { Message } from '../protocol/timeline'

/** What somebody can do with a message that stands in the log. */
export type Action = 'edit' | 'recall'

/** Milliseconds in which lishi lets a sender recall, unless its setting recall-window says otherwise. */
export const recallWindow = 120_000

export interface Standing {
  me: string
  speaks: boolean // may write in the conversation now
  manages: boolean // owns or administers the group
}

/** What is offered for a message at a time; never what is bound to be refused. */
export function actionsOn(message: Message, { me, speaks, manages }: Standing, now: number): Action[] {
  if (!speaks || message.recalled) return []
  const mine = message.sender === me
  const actions: Action[] = mine ? ['edit'] : []
  if (manages || (mine && now - message.time <= recallWindow)) actions.push('recall')
  return actions
}
