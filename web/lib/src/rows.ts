import type { DateText } from './values.ts'

// The rows of queries, in obj.list.

export interface FriendRow {
  friendId: string
  friendState: string
  nickName: string
  remarks?: string
  avatar?: string
  blocked?: boolean
}

export interface FolderRow {
  friendGroupId: string
  friendGroupName: string
  friendGroupOrder: number
  allowDeletion: boolean
}

export interface FriendFolderRow extends FolderRow {
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
  applyDate: DateText
  time?: number
  applyState: string
  receiveUserId: string
  position: string
}

export interface GroupApplicationRow {
  applyGroupId: string
  applyUserId: string // who applied or invited
  applyNickName: string
  targetUserId?: string // who is to become a member
  note: string
  applyDate: DateText
  time?: number
  applyState: string
  groupId: string
  groupName?: string
  applyType: string
  position: string
}

export interface RecentRow {
  recentId: string // the group, or the other user
  name: string
  avatar?: string
  type: string
  lastDate: DateText
  time?: number
  content: string
  recalled?: boolean // then content is empty
  sendUserId?: string
  total: number // unread
  readPosition?: string
  position?: string // of the last message
  mentions?: number // unread ones that name the caller
  peerReadPosition?: string // how far the other one has read
}

export interface HistoryRow {
  chatMessageId: string
  sendUserId: string
  sendNickName?: string
  receiveUserId: string // of a group, the group
  groupId?: string
  talkDate: DateText
  time?: number
  talkContent: string
  contentType?: string
  replyTo?: string
  atUserIds?: string[]
  avatar?: string
  talkSide: boolean // the caller's own
  position: string
  edited?: boolean
  recalled?: boolean // then talkContent is empty
  operatorUserId?: string // who edited it last or recalled it
  changeTime?: number // when, Unix milliseconds
}

export interface GroupRow {
  groupId: string
  groupName: string
  groupImg?: string
  crtUserId: string
  crtDate: DateText
  time?: number
  notice?: string
  joinMode: string
  role: string // empty for who is no member
  memberCount: number
  mutedUntil?: number // the caller, Unix milliseconds
}

export interface MemberRow {
  userId: string
  nickName: string
  remarks?: string
  avatar?: string
  role: string
  muted?: boolean
  mutedUntil?: number // Unix milliseconds
}
