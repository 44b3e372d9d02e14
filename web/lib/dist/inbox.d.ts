import { type Promised } from './promised.ts';
import type { Push } from './pushes.ts';
/** The application, as its inbox sees it. */
export interface Application {
    /** Takes a push; done when the promise is fulfilled, or at once. */
    take(push: Push): Promised<unknown>;
    /** The cursor has moved. */
    moved(): void;
    /** A push was not taken: it and what followed have to come again. */
    failed(error: unknown, push: Push): void;
    /** Pushes were let pass while too many waited; they have to come again. */
    caughtUp(): void;
}
/**
 * Pushes on their way to the application: one after another, each position
 * once, in the order of the log per prefix. The cursor follows what was taken,
 * never what was only received.
 */
export declare class Inbox {
    private readonly application;
    private readonly limit;
    private received;
    private taken;
    private waiting;
    private busy;
    private behind;
    private life;
    constructor(application: Application, limit: number);
    /** What has been received; empty where a login begins live. */
    get reached(): string;
    /** What has been taken by the application. */
    get cursor(): string;
    /** Begins behind a cursor of an earlier life, or without one. */
    begin(cursor: string): void;
    /** Nothing is handed over any more; the cursor stays. */
    stop(): void;
    /** A push came. One that came before is passed over. */
    push(push: Push): void;
    /** A login, a success or the end of a backlog said how far this connection is. */
    reach(cursor: string | undefined): void;
    /** Calls back when everything that came before has been taken. */
    then(call: () => void): void;
    private add;
    private run;
    private hand;
    private move;
}
