import type { ServerReason } from './errors.ts';
import type { DateText } from './values.ts';
/** An event's push: its address in the log, and Unix milliseconds. */
interface Positioned {
    position: string;
    time?: number;
}
export interface MessageData extends Positioned {
    sendUserId: string;
    receiveUserId: string;
    messageContent: string;
    receiveDate: DateText;
    messageId: string;
    sendNickName?: string;
    contentType?: string;
    replyTo?: string;
}
export interface GroupMessageData extends MessageData {
    groupId: string;
    atUserIds?: string[];
}
interface Applied extends Positioned {
    applyUserId: string;
    applyNickName?: string;
    applyDate: DateText;
    note?: string;
}
export interface FriendAppliedData extends Applied {
    applyFriendId: string;
    targetUserId?: string;
}
export interface GroupAppliedData extends Applied {
    applyGroupId: string;
    groupId: string;
    groupName?: string;
}
export interface GroupInvitedData extends GroupAppliedData {
    targetUserId?: string;
}
export interface FriendRemovedData extends Positioned {
    applyUserId: string;
    applyNickName?: string;
    applyDate: DateText;
    targetUserId?: string;
}
export interface GroupRemovedData extends Applied {
    groupId: string;
    groupName?: string;
    targetUserId?: string;
}
export interface LoginData {
    code: string;
    msg: string;
    uniqueNo?: string;
    userId?: string;
    cursor?: string;
    time?: number;
    recallWindowMs?: number;
    reason?: ServerReason;
    detail?: string;
    retryAfterMs?: number;
}
export interface FriendVerifiedData extends Positioned {
    applyFriendId: string;
    applyState: string;
    verifyDate: DateText;
    verifyUserId?: string;
    verifyUserNickName?: string;
    note?: string;
    targetUserId?: string;
}
export interface GroupVerifiedData extends Positioned {
    applyGroupId: string;
    groupId: string;
    groupName?: string;
    applyState: string;
    verifyDate: DateText;
    verifyUserId?: string;
    note?: string;
    targetUserId?: string;
}
export type GroupChange = 'created' | 'joined' | 'quit' | 'removed' | 'role' | 'muted' | 'owner' | 'info';
export interface GroupChangedData extends Positioned {
    groupId: string;
    change: GroupChange;
    userId?: string;
    operatorUserId?: string;
    date?: DateText;
}
/** A message was given another text, or taken back. */
export interface RevisionData extends Positioned {
    change: 'edited' | 'recalled';
    messagePosition: string;
    messageContent?: string;
    sendUserId: string;
    receiveUserId?: string;
    groupId?: string;
    operatorUserId?: string;
    date?: DateText;
}
export interface ReadData extends Positioned {
    userId: string;
    peerUserId?: string;
    groupId?: string;
    readPosition: string;
    date?: DateText;
}
/** The own profile; or, with `change`, own folders or the own view of a friend. */
export interface ProfileData extends Positioned {
    userId: string;
    nickName?: string;
    avatar?: string;
    change?: 'folders' | 'friend';
    friendGroupId?: string;
    friendGroupName?: string;
    friendId?: string;
    remark?: string;
}
export interface BacklogData {
    cursor?: string;
    complete?: boolean;
}
/** Any of 3 to 7. */
export type ApplyData = Applied & Partial<Pick<FriendAppliedData & GroupInvitedData, 'applyFriendId' | 'applyGroupId' | 'groupId' | 'groupName' | 'targetUserId'>>;
/** 9 or 10. */
export type VerifyData = Positioned & Partial<Omit<FriendVerifiedData & GroupVerifiedData, keyof Positioned | 'applyState' | 'verifyDate'>> & Pick<FriendVerifiedData, 'applyState' | 'verifyDate'>;
/** What each msgType's data is. */
export interface Pushes {
    '1': MessageData;
    '2': GroupMessageData;
    '3': FriendAppliedData;
    '4': GroupAppliedData;
    '5': GroupInvitedData;
    '6': FriendRemovedData;
    '7': GroupRemovedData;
    '9': FriendVerifiedData;
    '10': GroupVerifiedData;
    '11': GroupChangedData;
    '12': RevisionData;
    '13': ReadData;
    '14': ProfileData;
}
/** A push of an event. One of a kind that this version does not know comes as well: give a switch a default. */
export type Push = {
    [Type in keyof Pushes]: {
        msgType: Type;
        data: Pushes[Type];
    };
}[keyof Pushes];
export {};
