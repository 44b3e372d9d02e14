import type { FolderRow, FriendApplicationRow, FriendFolderRow, GroupApplicationRow, GroupRow, HistoryRow, MemberRow, RecentRow, UserRow } from './rows.ts'

// Every url of the protocol, with what it takes and what it gives. A test holds
// them to the table of urls that the program writes.

/** An event of the request stands in the log at this position. */
export interface Recorded {
  uniqueNo: string
  position: string
  time: number // Unix milliseconds
}

type Apply = Recorded & { applyFriendId: string; applyState?: string } // "9": both are friends now
type Join = Recorded & { applyGroupId: string; applyState?: string } // "9": a member now

interface Command<Params, Result = Recorded> {
  params: Params
  result: Result
}

interface Message {
  messageContent: string
  contentType?: string
  replyTo?: string // a position
}

interface Verification {
  applyState: string
  note?: string
}

/** Either is given. */
type Conversation = { userId: string; groupId?: undefined } | { groupId: string; userId?: undefined }

export interface Commands {
  '/chat/sendMessage': Command<Message & { receiveUserId: string }, Recorded & { messageId: string }>
  '/chat/sendGroupMessage': Command<Message & { groupId: string; atUserIds?: readonly string[] }, Recorded & { messageId: string }>
  '/chat/editMessage': Command<{ position: string; messageContent: string }>
  '/chat/recallMessage': Command<{ position: string }>
  /** Without position and time where the mark was there already. */
  '/chat/readMessage': Command<Conversation & { position: string }, { uniqueNo: string; position?: string; time?: number }>
  '/friend/applyFriend': Command<{ userId: string; note?: string; remark?: string; friendGroupId?: string }, Apply>
  '/friend/verifyFriend': Command<Verification & { applyFriendId: string; friendGroupId?: string }>
  '/friend/deleteFriend': Command<{ friendId: string }>
  '/friend/blockFriend': Command<{ userId: string }>
  '/friend/unblockFriend': Command<{ userId: string }>
  '/friend/createFriendGroup': Command<{ friendGroupName: string }, Recorded & { friendGroupId: string }>
  '/friend/deleteFriendGroup': Command<{ friendGroupId: string }>
  '/friend/updateFriend': Command<{ friendId: string; remark?: string; friendGroupId?: string }>
  '/group/addGroup': Command<{ groupName: string; groupImg?: string; joinMode?: string; userIds?: readonly string[] }, Recorded & { groupId: string }>
  '/group/updateGroup': Command<{ groupId: string; groupName?: string; groupImg?: string; notice?: string; joinMode?: string }>
  '/group/applyGroup': Command<{ groupId: string; note?: string }, Join>
  '/group/invitationGroup': Command<{ groupId: string; userId: string; note?: string }, Recorded & { applyGroupId: string }>
  '/group/groupVerify': Command<Verification & { applyGroupId: string }>
  '/group/userVerify': Command<Verification & { applyGroupId: string }>
  '/group/removeUserGroup': Command<{ groupId: string; removeUserId: string; note?: string }>
  '/group/quitGroup': Command<{ groupId: string }>
  '/group/transferGroup': Command<{ groupId: string; userId: string }>
  '/group/setGroupRole': Command<{ groupId: string; userId: string; role: string }>
  '/group/muteMember': Command<{ groupId: string; userId: string; minutes: number }>
  '/group/deleteGroup': Command<{ groupId: string; note?: string }>
  '/user/updateUser': Command<{ nickName?: string; avatar?: string }>
}

interface Query<Params, Row> {
  params: Params
  row: Row
}

interface Page {
  page?: number // counted from 1, the newest
  pageSize?: number
  before?: string // a position, exclusive
  after?: string
  limit?: number
}

export interface Queries {
  '/friend/myFriendList': Query<{}, FriendFolderRow>
  '/friend/getFriendGroupList': Query<{}, FolderRow>
  '/friend/queryFriend': Query<{ userNo?: string; nickName?: string }, UserRow>
  '/friend/getApplyFriendList': Query<{}, FriendApplicationRow>
  '/friend/getBlockedList': Query<{}, UserRow>
  '/friend/getRecentMessageList': Query<{ before?: string; limit?: number }, RecentRow>
  '/friend/loadMoreMessage': Query<Page & { userId: string }, HistoryRow>
  '/group/getGroupList': Query<{ groupId?: string }, GroupRow>
  '/group/getGroup': Query<{ groupId: string }, GroupRow>
  '/group/getGroupUsers': Query<{ groupId: string; after?: string; limit?: number }, MemberRow>
  '/group/getApplyGroupList': Query<{}, GroupApplicationRow>
  '/group/loadMoreMessage': Query<Page & { groupId: string }, HistoryRow>
  '/chat/searchMessage': Query<{ text: string; userId?: string; groupId?: string; before?: string; limit?: number }, HistoryRow>
}

export type CommandUrl = keyof Commands
export type QueryUrl = keyof Queries

/** Params that may be left out where none is needed. */
type Given<Params, Options> = {} extends Params ? [params?: Params, options?: Options] : [params: Params, options?: Options]
export type CommandArguments<Url extends CommandUrl, Options> = Given<Commands[Url]['params'], Options>
export type QueryArguments<Url extends QueryUrl, Options> = Given<Queries[Url]['params'], Options>

/** What a query gives. */
export interface Rows<Row> {
  list: Row[]
  /** Where there is more: to be given back as `before`. */
  next: string | undefined
}

