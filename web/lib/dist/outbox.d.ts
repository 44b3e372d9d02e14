import type { Environment } from './environment.ts';
import { RequestError, type Reason } from './errors.ts';
import type { Result, ResultObject } from './frames.ts';
import { type Promised } from './promised.ts';
import type { KeptCommand } from './store.ts';
export interface RequestOptions {
    /** Milliseconds after which the request is given up. Without it waits as long as it takes. */
    timeoutMs?: number | undefined;
    /** Gives the request up when it is aborted. */
    signal?: AbortSignal | undefined;
}
export interface CommandOptions extends RequestOptions {
    /** The id of the request, 1 to 64 characters; a new one unless given. The same id never does a thing twice. */
    uniqueNo?: string | undefined;
    /** Says that a command with this uniqueNo may have been sent before. */
    repeated?: boolean | undefined;
    /** Whether the store keeps it until it is answered (default true). */
    keep?: boolean | undefined;
}
/** A command that is not answered yet. */
export type Pending = Pick<KeptCommand, 'uniqueNo' | 'url' | 'params' | 'at'>;
/** Where commands are kept until they are answered. */
export interface Keeper {
    put(command: Pending): Promised<void>;
    remove(uniqueNo: string): void;
}
export interface OutboxHooks {
    /** The token that requests carry. */
    token(): string;
    /** The token was refused; gives whether there will be another one. */
    renew(): boolean;
    /** A command of an earlier life was answered, for which nobody waits. */
    settled(command: Pending, outcome: ResultObject | RequestError): void;
}
/**
 * Requests on their way. Commands of a conversation go out one after the other,
 * in the order they were made, each when the one before it is answered; queries
 * go side by side. While there is no live connection they wait; after a resume
 * whatever was not answered is sent again with the same uniqueNo, which never
 * does a thing twice.
 */
export declare class Outbox {
    private readonly environment;
    private readonly hooks;
    private readonly limit;
    private readonly keeps;
    private entries;
    private lanes;
    private transmit;
    private keeper;
    private ended;
    private flying;
    private pace;
    private stopPace;
    private lastAt;
    private commands;
    constructor(environment: Environment, hooks: OutboxHooks, limit: number, keeps: boolean);
    /** Commands that are not answered yet, oldest first. */
    get pending(): Pending[];
    /** The store is there: what was made before it came is kept now, behind what it held. */
    open(keeper: Keeper, kept: readonly Pending[]): void;
    /** Takes over commands of an earlier life, or of another tab that is gone. */
    restore(kept: readonly Pending[]): void;
    /** Sends a request now or as soon as it may go; settles with its answer, once. */
    add(url: string, params: object, command: boolean, options?: CommandOptions): Promise<ResultObject>;
    /** Gives a request up: nobody sends it again. False where there is none. */
    withdraw(uniqueNo: string, reason: Reason, detail: string): boolean;
    /** The connection is live: everything unanswered goes out, oldest first. */
    connect(transmit: (text: string) => void): void;
    /** The connection is gone: what is unanswered may or may not have happened. */
    disconnect(): void;
    /** The server does not take the longest of the frames under way: no repeat could help. */
    shed(): void;
    /** Ends every request, since nobody will answer any more. What the store keeps stays there. */
    end(reason: Reason, detail: string): void;
    /** Sends again what has waited too long for an answer on a connection that seems well. */
    sweep(): void;
    /** Takes an answer; one for which no request waits changes nothing. */
    answer({ code, msg, obj }: Result): void;
    private make;
    private wait;
    private keepNow;
    private enter;
    private leave;
    private goAll;
    private go;
    private mayGo;
    private send;
    private land;
    private slowDown;
    private step;
    private resolve;
    private reject;
    private settle;
}
