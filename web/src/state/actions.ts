import type { Message } from '../protocol/timeline'

/** What somebody can do with a message that stands in the log. */
export type Action = 'reply' | 'copy' | 'edit' | 'recall'

export interface Standing {
  me: string
  speaks: boolean // may write in the conversation now
  manages: boolean // owns or administers the group
  recallWindow: number // milliseconds in which a sender can recall
  copies: boolean // the browser lets the page write to its clipboard
}

/** What is offered for a message at a time of the server's clock; never what is bound to be refused. */
export function actionsOn(message: Message, { me, speaks, manages, recallWindow, copies }: Standing, now: number): Action[] {
  if (message.recalled) return []
  const mine = message.sender === me
  const actions: Action[] = speaks ? ['reply'] : []
  if (copies) actions.push('copy')
  if (speaks && mine) actions.push('edit')
  if (speaks && (manages || (mine && now - message.time < recallWindow))) actions.push('recall')
  return actions
}
