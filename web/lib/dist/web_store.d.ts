import type { Kept, KeptCommand, Store } from './store.ts';
/** The part of localStorage and sessionStorage that is used. */
export interface WebStorage {
    readonly length: number;
    key(index: number): string | null;
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
}
/**
 * Keeps in localStorage, over reloads, shared by all tabs; or in sessionStorage,
 * over reloads of one tab. Each command has an item of its own, so tabs that
 * write at once don't overwrite one another. Of two that save their cursor in the same
 * moment the lower one may stay: then pushes come again after a reload, and none is missed.
 */
export declare class WebStore implements Store {
    private readonly storage;
    private readonly name;
    constructor(storage?: WebStorage, name?: string);
    load(user: string): Kept;
    put(user: string, command: KeptCommand): void;
    remove(user: string, uniqueNo: string): void;
    saveCursor(user: string, cursor: string, anew: boolean): void;
    private cursorKey;
    private commandKey;
}
