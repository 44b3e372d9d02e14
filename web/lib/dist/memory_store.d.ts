import type { Kept, KeptCommand, Store } from './store.ts';
/** Keeps in memory: over a stop and a new client of the same process, not over a reload. */
export declare class MemoryStore implements Store {
    private readonly users;
    load(user: string): Kept;
    put(user: string, command: KeptCommand): void;
    remove(user: string, uniqueNo: string): void;
    saveCursor(user: string, cursor: string, anew: boolean): void;
    private of;
}
