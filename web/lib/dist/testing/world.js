/** One connection as the server's end sees it. */
export class Wire {
    onOpen = () => { };
    onText = (_text) => { };
    onClose = (_code) => { };
    sent = [];
    closed = false;
    send(text) {
        if (this.closed)
            throw new Error('sent on a closed socket');
        this.sent.push(JSON.parse(text));
    }
    close() {
        this.closed = true;
    }
    /** The server's frame reaches the client. */
    tell(frame) {
        this.onText(JSON.stringify(frame));
    }
    push(msgType, data) {
        this.tell({ msgType, data });
    }
    /** Answers the login with a success. */
    welcome(cursor) {
        const login = this.sent.findLast((request) => request.url === '/chat/login');
        this.push('8', { code: '200', msg: '登录成功', uniqueNo: login.params.uniqueNo, userId: 'ann', cursor });
    }
    refuseLogin(reason) {
        const login = this.sent.findLast((request) => request.url === '/chat/login');
        this.push('8', { code: '400', msg: '登录失败', uniqueNo: login.params.uniqueNo, reason });
    }
    succeed(uniqueNo, more = {}) {
        this.tell({ code: 200, msg: '成功', obj: { uniqueNo, ...more } });
    }
    fail(uniqueNo, reason, more = {}) {
        this.tell({ code: 400, msg: '失败', obj: { uniqueNo, reason, detail: `because ${reason}`, ...more } });
    }
    requests(url) {
        return this.sent.filter((request) => request.url === url).map((request) => request.params);
    }
}
/** A world in which time passes only when told, and ids count up. */
export class World {
    wires = [];
    chance = 0.5;
    /** Tells the ids of several worlds apart. */
    idPrefix = '';
    locks = undefined;
    /** Unix milliseconds of the moment when the clock stands at 0. */
    began = 1_700_000_000_000;
    wakers = new Set();
    time = 0;
    ids = 0;
    timers = [];
    open() {
        const wire = new Wire();
        this.wires.push(wire);
        return wire;
    }
    now() {
        return this.time;
    }
    date() {
        return this.began + this.time;
    }
    onWake(callback) {
        this.wakers.add(callback);
        return () => this.wakers.delete(callback);
    }
    /** The network or the person is back. */
    wake() {
        for (const callback of this.wakers)
            callback();
    }
    later(ms, callback) {
        const timer = { at: this.time + ms, callback };
        this.timers.push(timer);
        return () => {
            this.timers = this.timers.filter((one) => one !== timer);
        };
    }
    random() {
        return this.chance;
    }
    newId() {
        return `${this.idPrefix}id${++this.ids}`;
    }
    get wire() {
        return this.wires.at(-1);
    }
    /** Lets time pass; what is due happens in its order. */
    pass(ms) {
        const end = this.time + ms;
        for (;;) {
            const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
            if (!next)
                break;
            this.timers = this.timers.filter((timer) => timer !== next);
            this.time = next.at;
            next.callback();
        }
        this.time = end;
    }
}
