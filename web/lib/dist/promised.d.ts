/** A value now, or a promise of it. */
export type Promised<T> = T | PromiseLike<T>;
/**
 * Goes on with a value: at once where it is there, else when it comes. So a
 * store that answers at once costs no turn of the event loop, and keeps its order.
 */
export declare function whenThere<T>(value: Promised<T>, next: (value: T) => void, failed: (error: unknown) => void): void;
/** The same for something that may also throw. */
export declare function attempt<T>(action: () => Promised<T>, next: (value: T) => void, failed: (error: unknown) => void): void;
export declare function isPromise(value: unknown): value is PromiseLike<unknown>;
