import type { Environment, Locks, Socket } from '../environment.ts';
/** One connection as the server's end sees it. */
export declare class Wire implements Socket {
    onOpen: () => void;
    onText: (_text: string) => void;
    onClose: (_code: number) => void;
    readonly sent: {
        url: string;
        params: Record<string, unknown>;
    }[];
    closed: boolean;
    send(text: string): void;
    close(): void;
    /** The server's frame reaches the client. */
    tell(frame: unknown): void;
    push(msgType: string, data: Record<string, unknown>): void;
    /** Answers the login with a success. */
    welcome(cursor: string): void;
    refuseLogin(reason: string): void;
    succeed(uniqueNo: unknown, more?: Record<string, unknown>): void;
    fail(uniqueNo: unknown, reason: string, more?: Record<string, unknown>): void;
    requests(url: string): Record<string, unknown>[];
}
/** A world in which time passes only when told, and ids count up. */
export declare class World implements Environment {
    readonly wires: Wire[];
    chance: number;
    /** Tells the ids of several worlds apart. */
    idPrefix: string;
    locks: Locks | undefined;
    /** Unix milliseconds of the moment when the clock stands at 0. */
    began: number;
    private readonly wakers;
    private time;
    private ids;
    private timers;
    open(): Wire;
    now(): number;
    date(): number;
    onWake(callback: () => void): () => void;
    /** The network or the person is back. */
    wake(): void;
    later(ms: number, callback: () => void): () => void;
    random(): number;
    newId(): string;
    get wire(): Wire;
    /** Lets time pass; what is due happens in its order. */
    pass(ms: number): void;
}
