import type { DateText } from './values.ts';
export interface FriendRow {
    friendId: string;
    friendState: string;
    nickName: string;
    remarks?: string;
    avatar?: string;
    blocked?: boolean;
}
export interface FolderRow {
    friendGroupId: string;
    friendGroupName: string;
    friendGroupOrder: number;
    allowDeletion: boolean;
}
export interface FriendFolderRow extends FolderRow {
    friendLists: FriendRow[];
}
export interface UserRow {
    userId: string;
    userNo: string;
    nickName: string;
    avatar?: string;
}
export interface FriendApplicationRow {
    applyFriendId: string;
    applyUserId: string;
    applyNickName: string;
    note: string;
    applyDate: DateText;
    time?: number;
    applyState: string;
    receiveUserId: string;
    position: string;
}
export interface GroupApplicationRow {
    applyGroupId: string;
    applyUserId: string;
    applyNickName: string;
    targetUserId?: string;
    note: string;
    applyDate: DateText;
    time?: number;
    applyState: string;
    groupId: string;
    groupName?: string;
    applyType: string;
    position: string;
}
export interface RecentRow {
    recentId: string;
    name: string;
    avatar?: string;
    type: string;
    lastDate: DateText;
    time?: number;
    content: string;
    recalled?: boolean;
    sendUserId?: string;
    total: number;
    readPosition?: string;
    position?: string;
    mentions?: number;
    peerReadPosition?: string;
}
export interface HistoryRow {
    chatMessageId: string;
    sendUserId: string;
    sendNickName?: string;
    receiveUserId: string;
    groupId?: string;
    talkDate: DateText;
    time?: number;
    talkContent: string;
    contentType?: string;
    replyTo?: string;
    atUserIds?: string[];
    avatar?: string;
    talkSide: boolean;
    position: string;
    edited?: boolean;
    recalled?: boolean;
    operatorUserId?: string;
    changeTime?: number;
}
export interface GroupRow {
    groupId: string;
    groupName: string;
    groupImg?: string;
    crtUserId: string;
    crtDate: DateText;
    time?: number;
    notice?: string;
    joinMode: string;
    role: string;
    memberCount: number;
    mutedUntil?: number;
}
export interface MemberRow {
    userId: string;
    nickName: string;
    remarks?: string;
    avatar?: string;
    role: string;
    muted?: boolean;
    mutedUntil?: number;
}
