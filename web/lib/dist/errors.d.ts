/** Why the server refused a request: the fixed words of the protocol. */
export declare const reasons: readonly ["bad_request", "too_long", "unauthorized", "forbidden", "not_friend", "not_member", "blocked", "muted", "unknown_url", "not_found", "conflict", "rate_limited", "unavailable", "unknown"];
/** Why this client gave a request up; never a word of the server's. */
export declare const ownReasons: readonly ["timeout", "aborted", "queue_full", "stopped"];
export type ServerReason = (typeof reasons)[number];
export type Reason = ServerReason | (typeof ownReasons)[number];
/** What became of a request that failed. */
export type Outcome = 'refused' | 'unknown' | 'kept';
/** What to do about a reason. */
export type Again = 'no' | 'token' | 'later' | 'now';
/** A request that failed, with the reason's word. */
export declare class RequestError extends Error {
    readonly reason: Reason;
    /** A sentence for people, in English; may be empty. */
    readonly detail: string;
    readonly uniqueNo: string;
    readonly outcome: Outcome;
    readonly url: string;
    readonly name = "RequestError";
    constructor(reason: Reason, 
    /** A sentence for people, in English; may be empty. */
    detail: string, uniqueNo: string, outcome?: Outcome, url?: string);
    /** Whether trying again makes sense, and how. */
    get again(): Again;
}
/**
 * Whether a repeat must keep the uniqueNo: yes as long as the first one may
 * have happened or may still happen. After a refusal for a relation's sake the
 * log may hold a void record under that id which would decide for ever, so the
 * repeat is a new request.
 */
export declare function keepsIdentity(reason: Reason): boolean;
