/** Why the server refused a request: the fixed words of the protocol. */
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
];
/** Why this client gave a request up; never a word of the server's. */
export const ownReasons = [
    'timeout', // its timeoutMs passed
    'aborted', // its signal was aborted, or it was discarded
    'queue_full', // as many commands wait as may, or the store took no more
    'stopped', // the client was stopped
];
const again = {
    bad_request: 'no',
    too_long: 'no',
    unauthorized: 'token',
    forbidden: 'no',
    not_friend: 'no',
    not_member: 'no',
    blocked: 'no',
    muted: 'no',
    unknown_url: 'no',
    not_found: 'no',
    conflict: 'no',
    rate_limited: 'later',
    unavailable: 'later',
    unknown: 'now',
    timeout: 'now',
    aborted: 'no',
    queue_full: 'later',
    stopped: 'later',
};
/** A request that failed, with the reason's word. */
export class RequestError extends Error {
    reason;
    detail;
    uniqueNo;
    outcome;
    url;
    name = 'RequestError';
    constructor(reason, 
    /** A sentence for people, in English; may be empty. */
    detail, uniqueNo, outcome = 'refused', url = '') {
        super([url, reason, detail].filter((part) => part !== '').join(': '));
        this.reason = reason;
        this.detail = detail;
        this.uniqueNo = uniqueNo;
        this.outcome = outcome;
        this.url = url;
    }
    /** Whether trying again makes sense, and how. */
    get again() {
        return again[this.reason];
    }
}
/**
 * Whether a repeat must keep the uniqueNo: yes as long as the first one may
 * have happened or may still happen. After a refusal for a relation's sake the
 * log may hold a void record under that id which would decide for ever, so the
 * repeat is a new request.
 */
export function keepsIdentity(reason) {
    switch (reason) {
        case 'not_friend':
        case 'not_member':
        case 'blocked':
        case 'muted':
        case 'conflict':
            return false;
        default:
            return true;
    }
}
