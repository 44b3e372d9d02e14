// What travels on the WebSocket: requests, results, pushes and the rows of
// queries. Field names are the protocol's own (docs/protocol.md).

/** Why a request failed: the fixed words of the protocol. */
export const reasons = [
  'bad_request',
  'too_long',
  'unauthorized',
  'forbidden',
  'not_friend',
  'not_member',
  'blocked',
  'muted',
  'unknown_url',
  'not_found',
  'conflict',
  'rate_limited',
  'unavailable',
  'unknown',
] as const

export type Reason = (typeof reasons)[number]

export interface ResultObject {
  uniqueNo: string
  reason?: Reason
  detail?: string
  retryAfterMs?: number
  position?: string
  time?: number
  messageId?: string
  applyFriendId?: string
  applyGroupId?: string
  groupId?: string
  friendGroupId?: string
  applyState?: string
  list?: unknown[]
  next?: string
}

export interface Result {
  code: number
  msg: string
  obj: ResultObject
}

interface Positioned {
  position: string
  time?: number
}

export interface MessageData extends Positioned {
  sendUserId: string
  receiveUserId: string
  messageContent: string
  receiveDate: string
  messageId: string
  sendNickName?: string
  groupId?: string
  contentType?: string
  replyTo?: string // a position in the same conversation
  atUserIds?: string[]
}

export interface ApplyData extends Positioned {
  applyUserId: string
  applyNickName?: string
  applyDate: string
  note?: string
  applyFriendId?: string
  applyGroupId?: string
  groupId?: string
  groupName?: string
  targetUserId?: string
}

export interface LoginData {
  code: string
  msg: string
  reason?: Reason
  detail?: string
  uniqueNo?: string
  userId?: string
  cursor?: string
  time?: number // the server's, Unix milliseconds
  recallWindowMs?: number // how long one's own messages can be recalled
}

export interface VerifyData extends Positioned {
  applyState: string
  verifyDate: string
  applyFriendId?: string
  applyGroupId?: string
  groupId?: string
  groupName?: string
  verifyUserId?: string
  verifyUserNickName?: string
  targetUserId?: string
  note?: string
}

export type GroupChange = 'created' | 'joined' | 'quit' | 'removed' | 'role' | 'muted' | 'owner' | 'info'

export interface GroupChangedData extends Positioned {
  groupId: string
  change: GroupChange
  userId?: string
  operatorUserId?: string
  date?: string
}

/** A message was given another text, or taken back. */
export interface RevisionData extends Positioned {
  change: 'edited' | 'recalled'
  messagePosition: string
  messageContent?: string
  sendUserId: string
  receiveUserId?: string
  groupId?: string
  operatorUserId?: string
  date?: string
}

export interface ReadData extends Positioned {
  userId: string
  peerUserId?: string
  groupId?: string
  readPosition: string
  date?: string
}

export interface ProfileData extends Positioned {
  userId: string
  nickName?: string
  avatar?: string
  change?: 'folders' | 'friend' // where it is not the profile
  friendGroupId?: string
  friendGroupName?: string
  friendId?: string
  remark?: string
}

export interface BacklogData {
  cursor?: string
  complete?: boolean
}

export type Push =
  | { msgType: '1' | '2'; data: MessageData }
  | { msgType: '3' | '4' | '5' | '6' | '7'; data: ApplyData }
  | { msgType: '8'; data: LoginData }
  | { msgType: '9' | '10'; data: VerifyData }
  | { msgType: '11'; data: GroupChangedData }
  | { msgType: '12'; data: RevisionData }
  | { msgType: '13'; data: ReadData }
  | { msgType: '14'; data: ProfileData }
  | { msgType: '15'; data: BacklogData }

export interface FriendRow {
  friendId: string
  friendState: string
  nickName: string
  remarks?: string
  avatar?: string
  blocked?: boolean
}

export interface FriendFolderRow {
  friendGroupId: string
  friendGroupName: string
  friendGroupOrder?: number
  allowDeletion?: boolean
  friendLists: FriendRow[]
}

export interface UserRow {
  userId: string
  userNo: string
  nickName: string
  avatar?: string
}

export interface FriendApplicationRow {
  applyFriendId: string
  applyUserId: string
  applyNickName: string
  note: string
  applyDate: string
  time?: number
  applyState: string
  receiveUserId: string
}

export interface GroupApplicationRow {
  applyGroupId: string
  applyUserId: string
  applyNickName: string
  note: string
  applyDate: string
  time?: number
  applyState: string
  groupId: string
  groupName?: string
  applyType: string
  targetUserId?: string
}

export interface RecentRow {
  recentId: string
  name: string
  avatar?: string
  type: string
  lastDate: string
  time?: number
  content: string
  recalled?: boolean
  sendUserId?: string
  total: number
  readPosition?: string
  position?: string
  mentions?: number // unread ones that name the caller
  peerReadPosition?: string
}

export interface HistoryRow {
  chatMessageId: string
  sendUserId: string
  receiveUserId: string
  groupId?: string
  sendNickName?: string
  talkDate: string
  time?: number
  talkContent: string
  talkSide: boolean
  position: string
  edited?: boolean
  recalled?: boolean
  operatorUserId?: string // who edited it last or recalled it
  changeTime?: number // when, Unix milliseconds
  contentType?: string
  replyTo?: string
  atUserIds?: string[]
  avatar?: string
}

export interface GroupRow {
  groupId: string
  groupName: string
  groupImg?: string
  crtUserId: string
  crtDate: string
  notice?: string
  joinMode: string
  role: string
  memberCount: number
  mutedUntil?: number // the caller, Unix milliseconds
}

export interface MemberRow {
  userId: string
  nickName: string
  remarks?: string
  avatar?: string
  role: string
  mutedUntil?: number // Unix milliseconds
}

/** The one-character values of the protocol. */
export const apply = { refused: '0', pending: '1', expired: '2', agreed: '9' } as const
export const applyType = { invitation: '1', application: '2' } as const
export const role = { member: '1', admin: '5', owner: '9' } as const
export const joinMode = { invitation: '0', application: '1', open: '9' } as const

/** Close codes that the page acts on; every other one means: connect again. */
export const closeCode = { tokenExpired: 4001, loginsFailed: 4003 } as const

export type Frame = { kind: 'result'; result: Result } | { kind: 'push'; push: Push } | { kind: 'other' }

/**
 * Tells what a received text is. A frame of a kind that this client does not
 * know is 'other' and may be ignored: the protocol grows by new kinds only.
 */
export function parseFrame(text: string): Frame {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'other' }
  }
  if (typeof value !== 'object' || value === null) return { kind: 'other' }
  const frame = value as Record<string, unknown>
  if (typeof frame.msgType === 'string' && isObject(frame.data)) {
    return { kind: 'push', push: frame as unknown as Push }
  }
  if (typeof frame.code === 'number' && isObject(frame.obj)) {
    return { kind: 'result', result: frame as unknown as Result }
  }
  return { kind: 'other' }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
