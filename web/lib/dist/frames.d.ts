import type { ServerReason } from './errors.ts';
import type { BacklogData, LoginData, Push } from './pushes.ts';
/** `obj` of a result: what any url may give. */
export interface ResultObject {
    uniqueNo: string;
    reason?: ServerReason;
    detail?: string;
    retryAfterMs?: number;
    position?: string;
    time?: number;
    messageId?: string;
    applyFriendId?: string;
    applyGroupId?: string;
    groupId?: string;
    friendGroupId?: string;
    applyState?: string;
    list?: unknown[];
    next?: string;
}
export interface Result {
    code: number;
    msg: string;
    obj: ResultObject;
}
/** A push of an event, or one that is the connection's own affair. */
export type AnyPush = Push | {
    msgType: '8';
    data: LoginData;
} | {
    msgType: '15';
    data: BacklogData;
};
export type Frame = {
    kind: 'result';
    result: Result;
} | {
    kind: 'push';
    push: AnyPush;
} | {
    kind: 'other';
};
/**
 * Tells what a received text is. A frame of a kind that this client does not
 * know is 'other' and may be ignored: the protocol grows by new kinds only.
 */
export declare function parseFrame(text: string): Frame;
