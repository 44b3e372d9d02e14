// A conversation is with one person or in one group. Its key is what state and
// addresses of the page use.

export type ConversationKey = `p:${string}` | `g:${string}`

export const withPerson = (userId: string): ConversationKey => `p:${userId}`
export const inGroup = (groupId: string): ConversationKey => `g:${groupId}`
export const isGroup = (key: ConversationKey): boolean => key.startsWith('g:')
export const partnerOf = (key: ConversationKey): string => key.slice(2)

export function parseKey(text: string): ConversationKey | undefined {
  return /^[pg]:./.test(text) ? (text as ConversationKey) : undefined
}

/** The params that name the conversation in loadMoreMessage and readMessage. */
export function targetOf(key: ConversationKey): { userId: string } | { groupId: string } {
  return isGroup(key) ? { groupId: partnerOf(key) } : { userId: partnerOf(key) }
}
