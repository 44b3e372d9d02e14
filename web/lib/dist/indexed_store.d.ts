import type { Kept, KeptCommand, Store } from './store.ts';
/**
 * Keeps in IndexedDB: over reloads, shared by all tabs, with more room than
 * localStorage. Every change is one transaction, so tabs never disturb one another.
 */
export declare class IndexedStore implements Store {
    private readonly name;
    private readonly factory;
    private database;
    constructor(name?: string, factory?: IDBFactory);
    load(user: string): Promise<Kept>;
    put(user: string, command: KeptCommand): Promise<void>;
    remove(user: string, uniqueNo: string): Promise<void>;
    saveCursor(user: string, cursor: string, anew: boolean): Promise<void>;
    private change;
    private open;
}
