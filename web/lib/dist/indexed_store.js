import { Cursor } from "./position.js";
const commandsTable = 'commands';
const cursorsTable = 'cursors';
/**
 * Keeps in IndexedDB: over reloads, shared by all tabs, with more room than
 * localStorage. Every change is one transaction, so tabs never disturb one another.
 */
export class IndexedStore {
    name;
    factory;
    database;
    constructor(name = 'lishi', factory = indexedDB) {
        this.name = name;
        this.factory = factory;
    }
    async load(user) {
        const transaction = (await this.open()).transaction([commandsTable, cursorsTable], 'readonly');
        const range = IDBKeyRange.bound([user], [user, []]); // an array is greater than any text
        const [commands, cursor] = await Promise.all([
            done(transaction.objectStore(commandsTable).getAll(range)),
            done(transaction.objectStore(cursorsTable).get(user)),
        ]);
        return { cursor: cursor ?? '', commands: commands.sort((a, b) => a.at - b.at) };
    }
    async put(user, command) {
        await this.change(commandsTable, (table) => table.put(command, [user, command.uniqueNo]));
    }
    async remove(user, uniqueNo) {
        await this.change(commandsTable, (table) => table.delete([user, uniqueNo]));
    }
    async saveCursor(user, cursor, anew) {
        await this.change(cursorsTable, (table) => {
            const known = table.get(user);
            known.onsuccess = () => {
                const greatest = Cursor.parse(anew ? '' : known.result);
                greatest.merge(cursor);
                table.put(greatest.toString(), user);
            };
        });
    }
    async change(table, action) {
        const transaction = (await this.open()).transaction(table, 'readwrite', { durability: 'strict' });
        action(transaction.objectStore(table));
        await new Promise((resolve, reject) => {
            transaction.oncomplete = () => resolve();
            transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
        });
    }
    open() {
        this.database ??= new Promise((resolve, reject) => {
            const request = this.factory.open(this.name, 1);
            request.onupgradeneeded = () => {
                request.result.createObjectStore(commandsTable);
                request.result.createObjectStore(cursorsTable);
            };
            request.onsuccess = () => {
                request.result.onversionchange = () => {
                    request.result.close(); // whoever deletes it need not wait
                    this.database = undefined;
                };
                resolve(request.result);
            };
            request.onerror = () => reject(request.error ?? new Error('IndexedDB can not be opened'));
        });
        this.database.catch(() => (this.database = undefined)); // the next one tries again
        return this.database;
    }
}
function done(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error ?? new Error('the request failed'));
    });
}
