import type { Promised } from './promised.ts';
/** A command that was not answered yet, as the store keeps it. Plain data: JSON and structured clones carry it. */
export interface KeptCommand {
    uniqueNo: string;
    url: string;
    params: Record<string, unknown>;
    /** Unix milliseconds of when it was made, unique within a client: the order in which commands go out. */
    at: number;
    /** Which client looks after it; another one takes over when that one is gone. */
    owner: string;
}
export interface Kept {
    /** The greatest positions that the application has taken; empty: none. */
    cursor: string;
    commands: KeptCommand[];
}
/**
 * What a client keeps over a reload or a crash, by user. Several clients, in
 * several tabs, may use the same one at once. A method may answer at once or by
 * a promise; one that fails says so by throwing or rejecting. What a method has
 * answered must outlive the page.
 */
export interface Store {
    load(user: string): Promised<Kept>;
    /** Keeps a command, or keeps it anew under the same uniqueNo. */
    put(user: string, command: KeptCommand): Promised<void>;
    /** Forgets a command; one that is not there is no error. */
    remove(user: string, uniqueNo: string): Promised<void>;
    /**
     * Moves the cursor forward: of each prefix the greater offset stays, since
     * another tab may be further. `anew` puts it in the place of the one kept.
     */
    saveCursor(user: string, cursor: string, anew: boolean): Promised<void>;
}
