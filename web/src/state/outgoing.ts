import type { Commands, Pending } from '@lishi/client'
import { inGroup, isGroup, partnerOf, withPerson, type ConversationKey } from '../protocol/conversation'
import type { Outgoing } from '../protocol/timeline'

type Sending<Url extends keyof Commands> = { url: Url; params: Commands[Url]['params'] }

/** The command that sends a message. */
export function sendingOf(key: ConversationKey, { text, replyTo, at }: Outgoing): Sending<'/chat/sendMessage'> | Sending<'/chat/sendGroupMessage'> {
  const words = { messageContent: text, ...(replyTo && { replyTo }), ...(at && { atUserIds: at }) }
  if (isGroup(key)) return { url: '/chat/sendGroupMessage', params: { groupId: partnerOf(key), ...words } }
  return { url: '/chat/sendMessage', params: { receiveUserId: partnerOf(key), ...words } }
}

/** The message that a command sends, and where to; undefined where it sends none. */
export function outgoingOf({ url, params, uniqueNo, at: time }: Pending): [ConversationKey, Outgoing] | undefined {
  if (url !== '/chat/sendMessage' && url !== '/chat/sendGroupMessage') return undefined
  const { receiveUserId, groupId, messageContent: text, replyTo, atUserIds: at } = params as Partial<Commands['/chat/sendMessage']['params'] & Commands['/chat/sendGroupMessage']['params']>
  const key = groupId === undefined ? withPerson(receiveUserId ?? '') : inGroup(groupId)
  return [key, { uniqueNo, text: text ?? '', time, failure: undefined, ...(replyTo && { replyTo }), ...(at && { at }) }]
}
