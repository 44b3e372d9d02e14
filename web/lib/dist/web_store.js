import { Cursor } from "./position.js";
/**
 * Keeps in localStorage, over reloads, shared by all tabs; or in sessionStorage,
 * over reloads of one tab. Each command has an item of its own, so tabs that
 * write at once don't overwrite one another. Of two that save their cursor in the same
 * moment the lower one may stay: then pushes come again after a reload, and none is missed.
 */
export class WebStore {
    storage;
    name;
    constructor(storage = localStorage, name = 'lishi') {
        this.storage = storage;
        this.name = name;
    }
    load(user) {
        const start = this.commandKey(user, '');
        const commands = [];
        for (let i = 0; i < this.storage.length; i++) {
            const key = this.storage.key(i);
            if (key?.startsWith(start))
                commands.push(...readCommand(this.storage.getItem(key)));
        }
        return { cursor: this.storage.getItem(this.cursorKey(user)) ?? '', commands: commands.sort((a, b) => a.at - b.at) };
    }
    put(user, command) {
        this.storage.setItem(this.commandKey(user, command.uniqueNo), JSON.stringify(command));
    }
    remove(user, uniqueNo) {
        this.storage.removeItem(this.commandKey(user, uniqueNo));
    }
    saveCursor(user, cursor, anew) {
        const key = this.cursorKey(user);
        const known = Cursor.parse(anew ? '' : (this.storage.getItem(key) ?? ''));
        known.merge(cursor);
        this.storage.setItem(key, known.toString());
    }
    cursorKey(user) {
        return `${this.name}/${encodeURIComponent(user)}/cursor`;
    }
    commandKey(user, uniqueNo) {
        return `${this.name}/${encodeURIComponent(user)}/command/${uniqueNo}`;
    }
}
// An item that is none of ours, or was cut short, is as good as none.
function readCommand(text) {
    try {
        const command = JSON.parse(text ?? 'null');
        const whole = typeof command?.uniqueNo === 'string' && typeof command.url === 'string' && typeof command.params === 'object' && typeof command.at === 'number';
        return whole ? [command] : [];
    }
    catch {
        return [];
    }
}
