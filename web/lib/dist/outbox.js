import { backoff } from "./backoff.js";
import { RequestError } from "./errors.js";
import { laneOf } from "./lanes.js";
import { attempt } from "./promised.js";
const answerWithin = 20_000;
const mostFlying = 64; // more would only wait at the server, and be refused in one go where the rate is exceeded
const tries = { unavailable: 5, unknown: 8 };
/**
 * Requests on their way. Commands of a conversation go out one after the other,
 * in the order they were made, each when the one before it is answered; queries
 * go side by side. While there is no live connection they wait; after a resume
 * whatever was not answered is sent again with the same uniqueNo, which never
 * does a thing twice.
 */
export class Outbox {
    environment;
    hooks;
    limit;
    keeps;
    entries = new Map();
    lanes = new Map();
    transmit;
    keeper;
    ended;
    flying = 0; // requests on this connection that are not answered yet
    pace = 0; // over the rate: one request goes out each so many milliseconds; 0: as they come
    stopPace;
    lastAt = 0;
    commands = 0;
    constructor(environment, hooks, limit, keeps) {
        this.environment = environment;
        this.hooks = hooks;
        this.limit = limit;
        this.keeps = keeps;
    }
    /** Commands that are not answered yet, oldest first. */
    get pending() {
        return [...this.entries.values()].filter(isCommand).map(({ uniqueNo, url, params, at }) => ({ uniqueNo, url, params, at }));
    }
    /** The store is there: what was made before it came is kept now, behind what it held. */
    open(keeper, kept) {
        this.keeper = keeper;
        const made = [...this.entries.values()];
        this.entries = new Map();
        this.lanes = new Map();
        this.commands = 0;
        this.restore(kept);
        for (const entry of made) {
            const before = this.entries.get(entry.uniqueNo);
            if (before) {
                before.waiters.push(...entry.waiters);
                continue;
            }
            this.enter(entry);
            if (entry.keeping)
                this.keepNow(entry);
        }
    }
    /** Takes over commands of an earlier life, or of another tab that is gone. */
    restore(kept) {
        for (const { uniqueNo, url, params, at } of kept) {
            if (this.entries.has(uniqueNo))
                continue;
            this.lastAt = Math.max(this.lastAt, at);
            const entry = newEntry(uniqueNo, url, params, at, laneOf(url, params));
            entry.kept = entry.sent = true;
            this.enter(entry);
            this.go(entry);
        }
    }
    /** Sends a request now or as soon as it may go; settles with its answer, once. */
    add(url, params, command, options = {}) {
        const uniqueNo = options.uniqueNo ?? this.environment.newId();
        const refuse = (reason, detail) => Promise.reject(new RequestError(reason, detail, uniqueNo, 'refused', url));
        if (options.signal?.aborted)
            return refuse('aborted', '');
        if (this.ended)
            return refuse(this.ended.reason, this.ended.detail);
        const copy = JSON.parse(JSON.stringify(params)); // what the caller does to it later changes nothing
        const known = this.entries.get(uniqueNo);
        if (known && (known.url !== url || JSON.stringify(known.params) !== JSON.stringify(copy))) {
            return refuse('conflict', 'another request with this uniqueNo is under way');
        }
        if (!known && command && this.commands >= this.limit)
            return refuse('queue_full', `${this.limit} commands wait already`);
        return new Promise((resolve, reject) => {
            const entry = known ?? this.make(uniqueNo, url, copy, command, options);
            this.wait(entry, { resolve, reject, release: () => { } }, options);
            if (known)
                return;
            if (entry.keeping && this.keeper)
                this.keepNow(entry);
            else
                this.go(entry);
        });
    }
    /** Gives a request up: nobody sends it again. False where there is none. */
    withdraw(uniqueNo, reason, detail) {
        const entry = this.entries.get(uniqueNo);
        if (entry)
            this.reject(entry, reason, detail, entry.sent ? 'unknown' : 'refused');
        return entry !== undefined;
    }
    /** The connection is live: everything unanswered goes out, oldest first. */
    connect(transmit) {
        this.transmit = transmit;
        this.goAll();
    }
    /** The connection is gone: what is unanswered may or may not have happened. */
    disconnect() {
        this.transmit = undefined;
        for (const entry of this.entries.values())
            this.land(entry);
    }
    /** The server does not take the longest of the frames under way: no repeat could help. */
    shed() {
        const longest = [...this.entries.values()].filter((entry) => entry.sentAt >= 0).sort((a, b) => b.length - a.length)[0];
        if (longest)
            this.reject(longest, 'too_long', 'the server closed the connection for a message that is too long', 'refused');
    }
    /** Ends every request, since nobody will answer any more. What the store keeps stays there. */
    end(reason, detail) {
        this.disconnect();
        this.ended = { reason, detail };
        this.stopPace?.();
        for (const entry of [...this.entries.values()]) {
            this.leave(entry);
            const error = new RequestError(reason, detail, entry.uniqueNo, entry.kept || entry.keeping ? 'kept' : entry.sent ? 'unknown' : 'refused', entry.url);
            for (const waiter of entry.waiters)
                waiter.reject(error);
        }
    }
    /** Sends again what has waited too long for an answer on a connection that seems well. */
    sweep() {
        const now = this.environment.now();
        for (const entry of this.entries.values()) {
            if (entry.sentAt < 0 || now - entry.sentAt <= answerWithin)
                continue;
            this.land(entry);
            this.go(entry);
        }
    }
    /** Takes an answer; one for which no request waits changes nothing. */
    answer({ code, msg, obj }) {
        const entry = this.entries.get(obj.uniqueNo);
        if (!entry)
            return;
        if (code === 200)
            return this.resolve(entry, obj);
        const reason = obj.reason ?? 'bad_request';
        const { waiting } = entry; // two answers to two sendings make one pause
        if (waiting)
            return;
        if (reason === 'rate_limited')
            return this.slowDown(entry, obj.retryAfterMs);
        if (reason === 'unauthorized' && entry.renewals++ === 0 && this.hooks.renew()) {
            this.land(entry); // goes out again with the new token
            return;
        }
        if ((reason === 'unavailable' || reason === 'unknown') && entry.refusals < tries[reason]) {
            const pause = backoff(entry.refusals++, this.environment.random(), reason === 'unknown' ? 200 : 1000, 8_000);
            this.land(entry);
            entry.waiting = this.environment.later(pause, () => {
                entry.waiting = undefined;
                this.go(entry);
            });
            return;
        }
        this.reject(entry, reason, obj.detail ?? msg, reason === 'unknown' ? 'unknown' : 'refused');
    }
    make(uniqueNo, url, params, command, options) {
        this.lastAt = Math.max(this.lastAt + 1, this.environment.date());
        const entry = newEntry(uniqueNo, url, params, this.lastAt, command ? laneOf(url, params) : undefined);
        entry.sent = options.repeated ?? false;
        entry.keeping = command && this.keeps && (options.keep ?? true);
        this.enter(entry);
        return entry;
    }
    wait(entry, waiter, { timeoutMs, signal }) {
        const aborted = () => this.withdraw(entry.uniqueNo, 'aborted', '');
        const stopTimer = timeoutMs === undefined ? undefined : this.environment.later(timeoutMs, () => this.withdraw(entry.uniqueNo, 'timeout', `no answer within ${timeoutMs} ms`));
        signal?.addEventListener('abort', aborted, { once: true });
        waiter.release = () => {
            stopTimer?.();
            signal?.removeEventListener('abort', aborted);
        };
        entry.waiters.push(waiter);
    }
    // A command is sent only once the store has it.
    keepNow(entry) {
        const { keeper } = this;
        attempt(() => keeper?.put(entry), () => {
            entry.keeping = false;
            entry.kept = true;
            if (this.entries.get(entry.uniqueNo) === entry)
                this.go(entry);
            else if (!this.ended)
                keeper?.remove(entry.uniqueNo); // withdrawn meanwhile
        }, (error) => this.reject(entry, 'queue_full', `the store did not take it: ${String(error)}`, 'refused'));
    }
    enter(entry) {
        this.entries.set(entry.uniqueNo, entry);
        if (entry.lane === undefined)
            return;
        this.commands++;
        const lane = this.lanes.get(entry.lane);
        if (lane)
            lane.push(entry);
        else
            this.lanes.set(entry.lane, [entry]);
    }
    leave(entry) {
        this.land(entry);
        entry.waiting?.();
        for (const waiter of entry.waiters)
            waiter.release();
        this.entries.delete(entry.uniqueNo);
        if (entry.lane === undefined)
            return;
        this.commands--;
        const rest = this.lanes.get(entry.lane)?.filter((one) => one !== entry) ?? [];
        if (rest.length > 0)
            this.lanes.set(entry.lane, rest);
        else
            this.lanes.delete(entry.lane);
    }
    goAll() {
        for (const entry of this.entries.values())
            this.go(entry);
    }
    go(entry) {
        if (this.pace === 0 && this.mayGo(entry))
            this.send(entry);
    }
    mayGo(entry) {
        if (!this.transmit || this.flying >= mostFlying || entry.keeping || entry.waiting || entry.sentAt >= 0)
            return false;
        return entry.lane === undefined || this.lanes.get(entry.lane)?.[0] === entry;
    }
    send(entry) {
        const params = { token: this.hooks.token(), uniqueNo: entry.uniqueNo, ...entry.params };
        if (isCommand(entry) && entry.sent)
            params.resend = true;
        const text = JSON.stringify({ url: entry.url, params });
        entry.sent = true;
        entry.sentAt = this.environment.now();
        entry.length = text.length;
        this.flying++;
        this.transmit?.(text);
    }
    land(entry) {
        if (entry.sentAt >= 0)
            this.flying--;
        entry.sentAt = -1;
    }
    // The rate is the user's, so nothing goes out until there is room again, and
    // then one after the other: who sent everything at once would be refused at once.
    slowDown(entry, retryAfterMs) {
        this.land(entry);
        this.pace = Math.max(1, retryAfterMs ?? backoff(entry.refusals++, this.environment.random(), 1000, 8_000));
        this.stopPace?.();
        this.stopPace = this.environment.later(this.pace, () => this.step());
    }
    step() {
        for (const entry of this.entries.values()) {
            if (!this.mayGo(entry))
                continue;
            this.send(entry);
            this.stopPace = this.environment.later(this.pace, () => this.step());
            return;
        }
        this.pace = 0;
    }
    resolve(entry, obj) {
        this.settle(entry);
        for (const waiter of entry.waiters)
            waiter.resolve(obj);
        if (entry.waiters.length === 0)
            this.hooks.settled(entry, obj);
    }
    reject(entry, reason, detail, outcome) {
        this.settle(entry);
        const error = new RequestError(reason, detail, entry.uniqueNo, outcome, entry.url);
        for (const waiter of entry.waiters)
            waiter.reject(error);
        if (entry.waiters.length === 0)
            this.hooks.settled(entry, error);
    }
    settle(entry) {
        this.leave(entry);
        if (entry.kept)
            this.keeper?.remove(entry.uniqueNo);
        this.goAll();
    }
}
const isCommand = (entry) => entry.lane !== undefined;
function newEntry(uniqueNo, url, params, at, lane) {
    return { uniqueNo, url, params, at, lane, keeping: false, kept: false, sent: false, sentAt: -1, length: 0, refusals: 0, renewals: 0, waiting: undefined, waiters: [] };
}
