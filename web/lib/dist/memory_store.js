import { Cursor } from "./position.js";
/** Keeps in memory: over a stop and a new client of the same process, not over a reload. */
export class MemoryStore {
    users = new Map();
    load(user) {
        const { cursor, commands } = this.of(user);
        return { cursor: cursor.toString(), commands: [...commands.values()].map((command) => structuredClone(command)) };
    }
    put(user, command) {
        this.of(user).commands.set(command.uniqueNo, structuredClone(command));
    }
    remove(user, uniqueNo) {
        this.of(user).commands.delete(uniqueNo);
    }
    saveCursor(user, cursor, anew) {
        const kept = this.of(user);
        if (anew)
            kept.cursor = new Cursor();
        kept.cursor.merge(cursor);
    }
    of(user) {
        let kept = this.users.get(user);
        if (!kept)
            this.users.set(user, (kept = { cursor: new Cursor(), commands: new Map() }));
        return kept;
    }
}
