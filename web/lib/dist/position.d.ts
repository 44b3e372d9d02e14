export interface Position {
    prefix: string;
    offset: number;
}
/** Reads a position, or gives undefined where the text is none. */
export declare function parsePosition(text: string | undefined): Position | undefined;
/** The offset of a position; -1 where the text is none, which is before every event. */
export declare function offsetOf(text: string | undefined): number;
/** The position right after one of an event; there need not be an event. */
export declare function positionAfter(text: string): string;
/**
 * The greatest position seen of each prefix. With it a client logs in again
 * and gets exactly what it missed.
 */
export declare class Cursor {
    private readonly offsets;
    static parse(text: string | undefined): Cursor;
    clone(): Cursor;
    /** Whether the position has been passed, or is the one reached. */
    covers(text: string | undefined): boolean;
    get empty(): boolean;
    /** Moves the prefix of the position forward, never back. */
    advance(text: string | undefined): void;
    /** Advances by every position of another cursor's text. */
    merge(text: string | undefined): void;
    toString(): string;
}
