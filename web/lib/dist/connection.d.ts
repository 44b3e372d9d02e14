import type { Environment } from './environment.ts';
import type { Reason } from './errors.ts';
import { type Result } from './frames.ts';
import type { LoginData, Push } from './pushes.ts';
import type { Tokens } from './token.ts';
/** Where the connection stands. */
export type Phase = {
    name: 'connecting';
} | {
    name: 'resuming';
} | {
    name: 'live';
} | {
    name: 'waiting';
    retryAt: number;
    code: number;
} | {
    name: 'ended';
    reason: Reason;
    detail: string;
};
export interface ConnectionHooks {
    phase(phase: Phase): void;
    /** A token is there. Calls back when a socket may be opened with it. */
    prepare(token: string, next: () => void): void;
    /** The token function failed, or no socket could be made; it is tried again later. */
    failed(what: 'token' | 'socket', error: unknown): void;
    /** The cursor to log in with; empty: begin live. */
    cursor(): string;
    /** The server can't serve the cursor: it is forgotten. */
    cursorRefused(detail: string): void;
    loggedIn(data: LoginData): void;
    /** A login or the end of a backlog says how far the connection is. */
    reached(cursor: string | undefined): void;
    push(push: Push): void;
    result(result: Result): void;
    /** Requests may go out. Resumed: whatever was missed has been received. */
    live(resumed: boolean, transmit: (text: string) => void): void;
    /** The same connection has a new token. */
    renewed(transmit: (text: string) => void): void;
    /** Requests can't go out any more. */
    disconnected(): void;
    /** Comes every few seconds while there is a connection. */
    idle(): void;
    /** The server closed because of a message that is too long. */
    shed(): void;
}
/**
 * Keeps one person connected: opens a socket, logs in with the cursor, finds out
 * when it is lost, waits and opens the next one.
 */
export declare class Connection {
    private readonly environment;
    private readonly tokens;
    private readonly hooks;
    private current;
    private socket;
    private attempts;
    private tokensRefused;
    private loginId;
    private withCursor;
    private liveAt;
    private heardAt;
    private pingedAt;
    private turn;
    private stopTimer;
    private stopWatch;
    private stopRenewal;
    constructor(environment: Environment, tokens: Tokens, hooks: ConnectionHooks);
    get phase(): Phase;
    /** Opens the next socket now. */
    connect(): void;
    /** Something woke up: what waits goes on at once, what seems to be well has to prove it. */
    wake(): void;
    /** Loses this connection and resumes after a backoff. */
    again(): void;
    /** The token in use was refused: gets another one, if there can be one, and logs in with it. */
    renewRefused(): boolean;
    /** Ends for good; nothing is told any more unless it is said why. */
    end(reason: Reason, detail: string, tell?: boolean): void;
    private enter;
    private open;
    private login;
    private readonly transmit;
    private receive;
    private loginAnswered;
    private loginRefused;
    private tokenRefused;
    private becomeLive;
    private lost;
    private drop;
    private renewInTime;
    private renew;
    private ping;
    private watch;
}
