import { Connection } from "./connection.js";
import { localEnvironment } from "./environment.js";
import { RequestError } from "./errors.js";
import { Inbox } from "./inbox.js";
import { Outbox } from "./outbox.js";
import { Owner } from "./owner.js";
import { attempt, isPromise } from "./promised.js";
import { claimsOf, Tokens } from "./token.js";
/**
 * One person's connection to lishi, kept up over losses: it logs in with the
 * cursor of everything taken so far, gets what was missed, then sends again
 * whatever was not answered. Every promise settles once.
 */
export class Client {
    options;
    environment;
    tokens;
    connection;
    outbox;
    inbox;
    listeners = { phase: new Set(), push: new Set(), live: new Set(), login: new Set(), settled: new Set(), problem: new Set() };
    person;
    owner;
    started = false;
    stopped = false;
    saving = false;
    unsaved;
    stopWaking;
    /** Throws a TypeError where the url is none, or there is no WebSocket. */
    constructor(options) {
        this.options = options;
        this.environment = options.environment ?? localEnvironment(options.url ?? '', options.WebSocket);
        this.tokens = new Tokens(options.token, this.environment);
        this.connection = new Connection(this.environment, this.tokens, {
            phase: (phase) => this.entered(phase),
            prepare: (token, next) => this.prepare(token, next),
            failed: (what, error) => this.problem(`${what}_failed`, error),
            cursor: () => this.inbox.reached,
            cursorRefused: (detail) => this.begin(detail),
            loggedIn: (data) => this.tell('login', data),
            reached: (cursor) => this.inbox.reach(cursor),
            push: (push) => this.inbox.push(push),
            result: (result) => {
                if (result.code === 200)
                    this.inbox.reach(result.obj.position);
                this.outbox.answer(result);
            },
            live: (resumed, transmit) => this.becameLive(resumed, transmit),
            renewed: (transmit) => this.outbox.connect(transmit),
            disconnected: () => this.outbox.disconnect(),
            idle: () => this.outbox.sweep(),
            shed: () => this.outbox.shed(),
        });
        this.outbox = new Outbox(this.environment, {
            token: () => this.tokens.current,
            renew: () => this.connection.renewRefused(),
            settled: (command, outcome) => this.tellSettled(command, outcome),
        }, options.queueLimit ?? 1000, options.store !== undefined);
        this.inbox = new Inbox({
            take: (push) => this.hand(push),
            moved: () => this.saveCursor('further'),
            failed: (error) => {
                this.problem('push_failed', error);
                this.connection.again();
            },
            caughtUp: () => this.connection.again(),
        }, options.pushLimit ?? 5000);
    }
    /** Listens; the function that it gives ends that. */
    on(name, listener) {
        this.listeners[name].add(listener);
        return () => this.listeners[name].delete(listener);
    }
    /** Connects, and stays connected until stop. Listen before. */
    start() {
        if (this.started)
            throw new Error('a client is started once');
        this.started = true;
        this.stopWaking = this.environment.onWake(() => this.connection.wake());
        this.connection.connect();
    }
    /** Closes for good; no listener is called any more. Requests under way are rejected as stopped. */
    stop() {
        if (this.stopped)
            return;
        this.stopped = true;
        this.connection.end('stopped', '', false);
        this.leave('stopped', '');
    }
    /** Does not wait for the next attempt's time. */
    retryNow() {
        this.connection.wake();
    }
    get phase() {
        return this.connection.phase;
    }
    /** Whose token it is; undefined before there is one. */
    get userId() {
        return this.person;
    }
    /** The positions that the application has taken, as text: for a login, or `seen` of a query over HTTP. */
    get cursor() {
        return this.inbox.cursor;
    }
    /** Commands that are not answered yet, oldest first, those of an earlier life among them. */
    get pending() {
        return this.outbox.pending;
    }
    /** Does something. Resolves when it is in the log, rejects with a RequestError. */
    async command(url, ...[params, options]) {
        return (await this.outbox.add(url, params ?? {}, true, options));
    }
    /** Asks for rows. Rejects with a RequestError. */
    async query(url, ...[params, options]) {
        const { list = [], next } = await this.outbox.add(url, params ?? {}, false, options);
        return { list: list, next };
    }
    /** Gives an unanswered command up: its promise is rejected as aborted, and nobody sends it again. False where there is none. */
    discard(uniqueNo) {
        return this.outbox.withdraw(uniqueNo, 'aborted', 'it was discarded');
    }
    /** A new id for a request. */
    newId() {
        return this.environment.newId();
    }
    prepare(token, next) {
        const { sub = '' } = claimsOf(token);
        if (this.person === undefined)
            return this.open(sub, next);
        if (sub === this.person)
            return next();
        this.connection.end('unauthorized', 'the token function gave the token of another user');
    }
    open(user, next) {
        const { store } = this.options;
        this.person = user;
        if (!store)
            return next();
        const failed = (error) => this.problem('store_failed', error);
        const notLoaded = (error) => {
            failed(error);
            this.person = this.owner = undefined;
            owner.stop();
            this.connection.again();
        };
        const owner = new Owner(this.environment, store, user, (commands) => this.outbox.restore(commands), failed);
        this.owner = owner;
        attempt(() => store.load(user), ({ cursor, commands }) => {
            if (this.options.keepCursor !== false)
                this.inbox.begin(cursor);
            const put = ({ uniqueNo, url, params, at }) => store.put(user, { uniqueNo, url, params, at, owner: owner.id });
            const remove = (uniqueNo) => attempt(() => store.remove(user, uniqueNo), () => { }, failed);
            attempt(() => owner.adopt(commands), (adopted) => {
                this.outbox.open({ put, remove }, adopted);
                next();
            }, notLoaded);
        }, notLoaded);
    }
    entered(phase) {
        if (phase.name === 'ended')
            this.leave(phase.reason, phase.detail);
        this.tell('phase', phase);
    }
    leave(reason, detail) {
        this.inbox.stop();
        this.outbox.end(reason, detail);
        this.owner?.stop();
        this.stopWaking?.();
    }
    becameLive(resumed, transmit) {
        this.outbox.connect(transmit);
        this.adoptAgain();
        this.inbox.then(() => this.tell('live', resumed));
    }
    // Commands of tabs that are gone, and that this one has not heard of yet.
    adoptAgain() {
        const { owner, person = '' } = this;
        const { store } = this.options;
        if (!store || !owner || !this.environment.locks)
            return;
        const look = async () => this.outbox.restore(await owner.adopt((await store.load(person)).commands));
        look().catch((error) => this.problem('store_failed', error));
    }
    begin(detail) {
        this.inbox.begin('');
        this.saveCursor('anew');
        this.problem('cursor_refused', new Error(detail));
    }
    hand(push) {
        const promises = [...this.listeners.push].map((listener) => listener(push)).filter(isPromise);
        return promises.length === 0 ? undefined : Promise.all(promises);
    }
    saveCursor(how) {
        const { store, keepCursor } = this.options;
        if (!store || keepCursor === false || this.person === undefined)
            return;
        if (this.saving) {
            if (this.unsaved !== 'anew')
                this.unsaved = how;
            return;
        }
        const user = this.person;
        this.saving = true;
        this.unsaved = undefined;
        const done = () => {
            this.saving = false;
            if (this.unsaved)
                this.saveCursor(this.unsaved);
        };
        attempt(() => store.saveCursor(user, this.inbox.cursor, how === 'anew'), done, (error) => {
            this.problem('store_failed', error);
            done();
        });
    }
    tellSettled({ uniqueNo, url, params, at }, outcome) {
        const command = { uniqueNo, url, params, at };
        this.tell('settled', outcome instanceof RequestError ? { ...command, error: outcome } : { ...command, result: outcome });
    }
    problem(kind, error) {
        if (this.listeners.problem.size === 0)
            console.error(`lishi: ${kind}`, error);
        else
            this.tell('problem', { kind, error });
    }
    tell(name, event) {
        if (this.stopped)
            return;
        // What a listener does wrong must not end up in the middle of the client.
        const failed = (error) => (name === 'problem' ? console.error('lishi: listener_failed', error) : this.problem('listener_failed', error));
        for (const listener of [...this.listeners[name]])
            attempt(() => listener(event), () => { }, failed);
    }
}
