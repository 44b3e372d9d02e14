export interface Socket {
    send(text: string): void;
    close(): void;
    onOpen: () => void;
    onText: (text: string) => void;
    onClose: (code: number) => void;
}
/** The part of navigator.locks that is used. */
export interface Locks {
    request(name: string, options: {
        ifAvailable?: boolean;
        signal?: AbortSignal;
    }, callback: (lock: unknown) => Promise<void>): Promise<void>;
}
export interface Environment {
    /** Starts to open a connection; the callbacks are set before any of them runs. */
    open(): Socket;
    /** Milliseconds on a clock that only goes forward. */
    now(): number;
    /** Unix milliseconds. */
    date(): number;
    /** Calls back once after so many milliseconds, unless the returned function is called before. */
    later(ms: number, callback: () => void): () => void;
    /** A number in [0, 1). */
    random(): number;
    /** A new id for a request: 1 to 64 characters, never used before. */
    newId(): string;
    /** Calls back when the network or the person is back, until the returned function is called. */
    onWake(callback: () => void): () => void;
    /** Locks that all tabs of an origin share; undefined where there are none. */
    readonly locks: Locks | undefined;
}
interface AnySocket {
    send(text: string): void;
    close(): void;
    onopen: ((event: never) => void) | null;
    onmessage: ((event: never) => void) | null;
    onclose: ((event: never) => void) | null;
    onerror: ((event: never) => void) | null;
}
/** A WebSocket as browsers have it: Node's own, or that of the package `ws`. */
export type WebSocketClass = new (url: string) => AnySocket;
/** This browser's or Node's sockets, clock and chance. It throws a TypeError where the url is none, or there is no WebSocket. */
export declare function localEnvironment(url: string, given?: WebSocketClass): Environment;
export {};
