// Positions are the addresses of events in the log: topic letter and
// partition (the prefix), '-', offset. They grow within a prefix; positions of
// different prefixes have no order.
const shape = /^([a-z]\d{1,9})-(\d{1,16})$/;
/** Reads a position, or gives undefined where the text is none. */
export function parsePosition(text) {
    const match = text === undefined ? null : shape.exec(text);
    if (!match)
        return undefined;
    const offset = Number(match[2]);
    return Number.isSafeInteger(offset) ? { prefix: match[1], offset } : undefined;
}
/** The offset of a position; -1 where the text is none, which is before every event. */
export function offsetOf(text) {
    return parsePosition(text)?.offset ?? -1;
}
/** The position right after one of an event; there need not be an event. */
export function positionAfter(text) {
    const position = parsePosition(text);
    return position ? `${position.prefix}-${position.offset + 1}` : text;
}
/**
 * The greatest position seen of each prefix. With it a client logs in again
 * and gets exactly what it missed.
 */
export class Cursor {
    offsets = new Map();
    static parse(text) {
        const cursor = new Cursor();
        cursor.merge(text);
        return cursor;
    }
    clone() {
        return Cursor.parse(this.toString());
    }
    /** Whether the position has been passed, or is the one reached. */
    covers(text) {
        const position = parsePosition(text);
        return position !== undefined && position.offset <= (this.offsets.get(position.prefix) ?? -1);
    }
    get empty() {
        return this.offsets.size === 0;
    }
    /** Moves the prefix of the position forward, never back. */
    advance(text) {
        const position = parsePosition(text);
        if (!position)
            return;
        const known = this.offsets.get(position.prefix);
        if (known === undefined || position.offset > known)
            this.offsets.set(position.prefix, position.offset);
    }
    /** Advances by every position of another cursor's text. */
    merge(text) {
        for (const part of (text ?? '').split(','))
            this.advance(part.trim());
    }
    toString() {
        return [...this.offsets]
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([prefix, offset]) => `${prefix}-${offset}`)
            .join(',');
    }
}
