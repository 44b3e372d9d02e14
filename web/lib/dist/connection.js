import { backoff } from "./backoff.js";
import { afterClose } from "./closing.js";
import { parseFrame } from "./frames.js";
const silentFor = 20_000; // then a ping is sent
const answerPingWithin = 10_000;
const loginWithin = 15_000;
const watchEvery = 5_000;
const steadyAfter = 5_000; // a connection that lived so long was a success
const restFor = 10_000;
const refusalsInARow = 3; // of tokens that the function gave, until it is believed to have no better one
/**
 * Keeps one person connected: opens a socket, logs in with the cursor, finds out
 * when it is lost, waits and opens the next one.
 */
export class Connection {
    environment;
    tokens;
    hooks;
    current = { name: 'connecting' };
    socket;
    attempts = 0;
    tokensRefused = 0;
    loginId = '';
    withCursor = false;
    liveAt = -1;
    heardAt = 0;
    pingedAt = -1;
    turn = 0; // counts sockets, so that an answer for an older one is ignored
    stopTimer;
    stopWatch;
    stopRenewal;
    constructor(environment, tokens, hooks) {
        this.environment = environment;
        this.tokens = tokens;
        this.hooks = hooks;
    }
    get phase() {
        return this.current;
    }
    /** Opens the next socket now. */
    connect() {
        this.drop();
        this.enter({ name: 'connecting' });
        const { turn } = this;
        this.tokens.get((token) => {
            if (turn !== this.turn)
                return;
            this.hooks.prepare(token, () => {
                if (turn === this.turn)
                    this.open();
            });
        }, (error) => {
            if (turn !== this.turn)
                return;
            this.hooks.failed('token', error);
            this.lost(0);
        });
    }
    /** Something woke up: what waits goes on at once, what seems to be well has to prove it. */
    wake() {
        if (this.current.name === 'waiting')
            this.connect();
        else if (this.current.name === 'live' && this.pingedAt < 0)
            this.ping();
    }
    /** Loses this connection and resumes after a backoff. */
    again() {
        if (this.current.name !== 'ended')
            this.lost(0);
    }
    /** The token in use was refused: gets another one, if there can be one, and logs in with it. */
    renewRefused() {
        if (!this.tokens.renewable || this.current.name !== 'live')
            return this.tokens.renewable;
        this.hooks.disconnected();
        this.renew('refused');
        return true;
    }
    /** Ends for good; nothing is told any more unless it is said why. */
    end(reason, detail, tell = true) {
        this.drop();
        if (tell)
            this.enter({ name: 'ended', reason, detail });
        else
            this.current = { name: 'ended', reason, detail };
    }
    enter(phase) {
        this.current = phase;
        this.hooks.phase(phase);
    }
    open() {
        let socket;
        try {
            socket = this.environment.open();
        }
        catch (error) {
            this.hooks.failed('socket', error);
            return this.lost(0);
        }
        this.socket = socket;
        socket.onOpen = () => this.login(this.hooks.cursor());
        socket.onText = (text) => this.receive(text);
        socket.onClose = (code) => this.lost(code);
        this.heardAt = this.environment.now();
        this.pingedAt = -1;
        this.watch();
    }
    login(cursor) {
        this.loginId = this.environment.newId();
        this.withCursor = cursor !== '';
        const params = { token: this.tokens.current, uniqueNo: this.loginId, own: true };
        if (this.withCursor)
            params.cursor = cursor;
        this.transmit(JSON.stringify({ url: '/chat/login', params }));
    }
    transmit = (text) => {
        try {
            this.socket?.send(text);
        }
        catch {
            // A socket that is closing reports it by onClose, which sends again later.
        }
    };
    receive(text) {
        this.heardAt = this.environment.now();
        this.pingedAt = -1;
        const frame = parseFrame(text);
        if (frame.kind === 'result')
            this.hooks.result(frame.result);
        if (frame.kind !== 'push')
            return;
        const { push } = frame;
        if (push.msgType === '8') {
            this.loginAnswered(push.data);
        }
        else if (push.msgType === '15') {
            this.hooks.reached(push.data.cursor);
            if (this.current.name === 'resuming' && push.data.complete !== false)
                this.becomeLive(true);
        }
        else {
            this.hooks.push(push);
        }
    }
    loginAnswered(data) {
        if (data.uniqueNo !== undefined && data.uniqueNo !== this.loginId)
            return;
        if (data.code !== '200')
            return this.loginRefused(data);
        this.tokensRefused = 0;
        this.hooks.loggedIn(data);
        this.hooks.reached(data.cursor);
        this.renewInTime();
        if (this.current.name === 'live')
            this.hooks.renewed(this.transmit); // it was the next token's login
        else if (this.current.name === 'resuming')
            return;
        else if (this.withCursor)
            this.enter({ name: 'resuming' });
        else
            this.becomeLive(false);
    }
    loginRefused({ reason = 'unauthorized', detail = '', retryAfterMs = 0 }) {
        switch (reason) {
            case 'unauthorized':
                return this.tokenRefused(detail);
            case 'unavailable':
            case 'unknown':
            case 'rate_limited':
                return this.lost(0, retryAfterMs);
            default:
                if (!this.withCursor || reason === 'forbidden')
                    return this.end(reason, detail);
                // The cursor can't be served (another log, or one restored from an
                // older copy). Begin anew on the same connection.
                this.hooks.cursorRefused(detail);
                this.login('');
        }
    }
    tokenRefused(detail) {
        if (!this.tokens.renewable || ++this.tokensRefused >= refusalsInARow)
            return this.end('unauthorized', detail);
        this.tokens.refuse('refused');
        this.lost(0);
    }
    becomeLive(resumed) {
        this.liveAt = this.environment.now();
        this.enter({ name: 'live' });
        this.hooks.live(resumed, this.transmit);
    }
    lost(code, atLeast = 0) {
        const what = afterClose(code);
        const was = this.liveAt;
        if (what === 'shed')
            this.hooks.shed();
        this.drop();
        if (what === 'renew') {
            if (!this.tokens.renewable)
                return this.end('unauthorized', 'the token has expired');
            this.tokens.refuse('refused');
        }
        if (was >= 0 && this.environment.now() - was >= steadyAfter)
            this.attempts = 0;
        const wait = Math.max(atLeast, what === 'rest' ? restFor : 0, backoff(this.attempts++, this.environment.random()));
        this.enter({ name: 'waiting', retryAt: this.environment.now() + wait, code });
        this.stopTimer = this.environment.later(wait, () => this.connect());
    }
    // Lets go of the socket without waiting for its close: over a dead network
    // that can take minutes.
    drop() {
        this.turn++;
        this.liveAt = -1;
        this.stopTimer?.();
        this.stopWatch?.();
        this.stopRenewal?.();
        this.hooks.disconnected();
        const socket = this.socket;
        if (!socket)
            return;
        this.socket = undefined;
        socket.onOpen = socket.onClose = () => { };
        socket.onText = () => { };
        socket.close();
    }
    renewInTime() {
        this.stopRenewal?.();
        const wait = this.tokens.renewIn();
        if (wait !== undefined)
            this.stopRenewal = this.environment.later(wait, () => this.renew('expiring'));
    }
    // A login with the next token on the same connection: nothing is interrupted.
    renew(need) {
        const { turn } = this;
        this.tokens.refuse(need);
        this.tokens.get((token) => {
            if (turn !== this.turn)
                return;
            this.hooks.prepare(token, () => {
                if (turn === this.turn)
                    this.login('');
            });
        }, (error) => {
            if (turn !== this.turn)
                return;
            this.hooks.failed('token', error);
            if (need === 'refused')
                this.lost(0);
            else
                this.stopRenewal = this.environment.later(watchEvery, () => this.renew(need));
        });
    }
    ping() {
        this.pingedAt = this.environment.now();
        this.transmit(JSON.stringify({ url: '/chat/ping', params: { uniqueNo: this.environment.newId() } }));
    }
    // A browser answers the server's pings without telling the page, so the
    // client asks for itself whether the connection still lives.
    watch() {
        this.stopWatch = this.environment.later(watchEvery, () => {
            const now = this.environment.now();
            const live = this.current.name === 'live';
            if (live && this.pingedAt >= 0 && now - this.pingedAt >= answerPingWithin)
                return this.lost(0);
            if (!live && now - this.heardAt >= loginWithin)
                return this.lost(0);
            if (live && this.pingedAt < 0 && now - this.heardAt >= silentFor)
                this.ping();
            if (live)
                this.hooks.idle();
            this.watch();
        });
    }
}
