import { type Phase } from './connection.ts';
import { type Environment, type WebSocketClass } from './environment.ts';
import { RequestError } from './errors.ts';
import type { ResultObject } from './frames.ts';
import { type CommandOptions, type Pending, type RequestOptions } from './outbox.ts';
import type { LoginData, Push } from './pushes.ts';
import type { Store } from './store.ts';
import { type TokenSource } from './token.ts';
import type { CommandArguments, Commands, CommandUrl, Queries, QueryArguments, QueryUrl, Rows } from './urls.ts';
export interface Options {
    /** A token, or a function that gets one. It is called at first, before a token ends and when one is refused. */
    token: TokenSource;
    /** Where lishi's socket is: `wss://chat.example/ws`. http(s) urls and, on a page, relative ones will do. */
    url?: string;
    /** Keeps unanswered commands and the cursor. Without one both end with this object. */
    store?: Store;
    /** Whether the cursor is kept in the store (default true). Say false where the application forgets what it took anyway. */
    keepCursor?: boolean;
    /** Unanswered commands at most, 1000 unless given; one more is refused with queue_full. */
    queueLimit?: number;
    /** Pushes that may wait for the application, 5000 unless given; of more the rest is fetched again later. */
    pushLimit?: number;
    /** The class to connect with where there is no global WebSocket: that of the package `ws`. */
    WebSocket?: WebSocketClass;
    /** Sockets, clock and chance, for tests. Takes the place of url and WebSocket. */
    environment?: Environment;
}
/** A kept command of an earlier life, or of a tab that is gone, was answered. */
export type Settled = Pending & ({
    result: ResultObject;
} | {
    error: RequestError;
});
/** Something went wrong that no promise tells. The client goes on by itself. */
export interface Problem {
    kind: 'cursor_refused' | 'push_failed' | 'listener_failed' | 'store_failed' | 'token_failed' | 'socket_failed';
    error: unknown;
}
export interface Events {
    /** Where the connection stands. */
    phase: Phase;
    /**
     * An event, each position once, in log order per prefix; the next one when the
     * promise is fulfilled that the listener may give. Where it throws or rejects,
     * the push comes again after a reconnect: the cursor stays before it.
     */
    push: Push;
    /**
     * The connection became live, after the pushes that it missed were taken. True:
     * nothing was missed. False: there was no cursor to resume with; ask for the
     * lists.
     */
    live: boolean;
    /** A login was accepted: what the server said with it. */
    login: LoginData;
    settled: Settled;
    problem: Problem;
}
type Listener<Event> = (event: Event) => unknown;
/**
 * One person's connection to lishi, kept up over losses: it logs in with the
 * cursor of everything taken so far, gets what was missed, then sends again
 * whatever was not answered. Every promise settles once.
 */
export declare class Client {
    private readonly options;
    private readonly environment;
    private readonly tokens;
    private readonly connection;
    private readonly outbox;
    private readonly inbox;
    private readonly listeners;
    private person;
    private owner;
    private started;
    private stopped;
    private saving;
    private unsaved;
    private stopWaking;
    /** Throws a TypeError where the url is none, or there is no WebSocket. */
    constructor(options: Options);
    /** Listens; the function that it gives ends that. */
    on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void;
    /** Connects, and stays connected until stop. Listen before. */
    start(): void;
    /** Closes for good; no listener is called any more. Requests under way are rejected as stopped. */
    stop(): void;
    /** Does not wait for the next attempt's time. */
    retryNow(): void;
    get phase(): Phase;
    /** Whose token it is; undefined before there is one. */
    get userId(): string | undefined;
    /** The positions that the application has taken, as text: for a login, or `seen` of a query over HTTP. */
    get cursor(): string;
    /** Commands that are not answered yet, oldest first, those of an earlier life among them. */
    get pending(): Pending[];
    /** Does something. Resolves when it is in the log, rejects with a RequestError. */
    command<Url extends CommandUrl>(url: Url, ...[params, options]: CommandArguments<Url, CommandOptions>): Promise<Commands[Url]['result']>;
    /** Asks for rows. Rejects with a RequestError. */
    query<Url extends QueryUrl>(url: Url, ...[params, options]: QueryArguments<Url, RequestOptions>): Promise<Rows<Queries[Url]['row']>>;
    /** Gives an unanswered command up: its promise is rejected as aborted, and nobody sends it again. False where there is none. */
    discard(uniqueNo: string): boolean;
    /** A new id for a request. */
    newId(): string;
    private prepare;
    private open;
    private entered;
    private leave;
    private becameLive;
    private adoptAgain;
    private begin;
    private hand;
    private saveCursor;
    private tellSettled;
    private problem;
    private tell;
}
export {};
