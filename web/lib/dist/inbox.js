import { Cursor } from "./position.js";
import { attempt } from "./promised.js";
/**
 * Pushes on their way to the application: one after another, each position
 * once, in the order of the log per prefix. The cursor follows what was taken,
 * never what was only received.
 */
export class Inbox {
    application;
    limit;
    received = new Cursor(); // with this a lost connection is resumed, since what waits here is not lost
    taken = new Cursor(); // with this the next life of the application begins
    waiting = [];
    busy = false;
    behind = false;
    life = 0; // counts up when everything begins anew, so what still runs is ignored
    constructor(application, limit) {
        this.application = application;
        this.limit = limit;
    }
    /** What has been received; empty where a login begins live. */
    get reached() {
        return this.received.toString();
    }
    /** What has been taken by the application. */
    get cursor() {
        return this.taken.toString();
    }
    /** Begins behind a cursor of an earlier life, or without one. */
    begin(cursor) {
        this.life++;
        this.taken = Cursor.parse(cursor);
        this.received = this.taken.clone();
        this.waiting = [];
        this.busy = this.behind = false;
    }
    /** Nothing is handed over any more; the cursor stays. */
    stop() {
        this.begin(this.cursor);
    }
    /** A push came. One that came before is passed over. */
    push(push) {
        const { position } = push.data;
        if (this.behind || this.received.covers(position))
            return;
        if (this.waiting.length >= this.limit) {
            // Unread frames would pile up in memory. The log has them: let them pass,
            // and resume when the application has taken what waits.
            this.behind = true;
            return;
        }
        this.received.advance(position);
        this.add({ push });
    }
    /** A login, a success or the end of a backlog said how far this connection is. */
    reach(cursor) {
        if (this.behind || cursor === undefined)
            return;
        this.received.merge(cursor);
        this.add({ reached: cursor });
    }
    /** Calls back when everything that came before has been taken. */
    then(call) {
        this.add({ call });
    }
    add(item) {
        this.waiting.push(item);
        if (!this.busy)
            this.run();
    }
    run() {
        const { life } = this;
        this.busy = true;
        while (this.busy && life === this.life) {
            const item = this.waiting.shift();
            if (!item)
                break;
            if ('push' in item) {
                if (!this.hand(item.push))
                    return; // goes on when it is taken
            }
            else if ('reached' in item)
                this.move(item.reached);
            else
                item.call();
        }
        if (life !== this.life)
            return;
        this.busy = false;
        if (this.behind) {
            this.behind = false;
            this.application.caughtUp();
        }
    }
    // True where the push was taken at once.
    hand(push) {
        const { life } = this;
        let atOnce = true;
        let taken = false;
        attempt(() => this.application.take(push), () => {
            if (life !== this.life)
                return;
            taken = true;
            this.move(push.data.position);
            if (!atOnce)
                this.run();
        }, (error) => {
            if (life !== this.life)
                return;
            this.begin(this.cursor);
            this.application.failed(error, push);
        });
        atOnce = false;
        return taken;
    }
    move(cursor) {
        const before = this.cursor;
        this.taken.merge(cursor);
        if (this.cursor !== before)
            this.application.moved();
    }
}
