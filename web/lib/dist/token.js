import { attempt } from "./promised.js";
/** Reads what a token says of itself. It does not check the token: that is the server's part. */
export function claimsOf(token) {
    try {
        const part = token.split('.')[1] ?? '';
        const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
        const claims = JSON.parse(new TextDecoder().decode(bytes));
        return {
            ...(typeof claims?.sub === 'string' && { sub: claims.sub }),
            ...(typeof claims?.exp === 'number' && { exp: claims.exp }),
        };
    }
    catch {
        return {};
    }
}
const earlier = 60_000; // milliseconds before its end that a token is renewed
const shortestSleep = 1000; // who gets the same token again is not asked without pause
const longestSleep = 86_400_000; // timers can't sleep for weeks
/** The token of a client: kept, renewed before it ends and when it is refused. */
export class Tokens {
    source;
    environment;
    held;
    need; // why the one held will not do
    gotAt = 0;
    asked;
    constructor(source, environment) {
        this.source = source;
        this.environment = environment;
        if (typeof source === 'string')
            this.take(source);
    }
    /** Whether there may be another token than the one held. */
    get renewable() {
        return typeof this.source === 'function';
    }
    /** The token that requests carry; empty before the first one came. */
    get current() {
        return this.held ?? '';
    }
    /** Gives the token held, or gets another one where it is needed. */
    get(next, failed) {
        const { source } = this;
        if (typeof source === 'string')
            return next(source);
        const end = this.endsAt();
        const good = this.need === undefined && (end === undefined || this.environment.date() < end);
        if (this.held !== undefined && good)
            return next(this.held);
        const need = this.need ?? (this.held === undefined ? 'first' : 'expiring');
        attempt(() => (this.asked ??= source(need)), // who asks while somebody asks already gets the same token
        (token) => {
            this.asked = undefined;
            if (typeof token !== 'string' || token === '')
                return failed(new TypeError('the token function gave no token'));
            this.take(token);
            next(token);
        }, (error) => {
            this.asked = undefined;
            failed(error);
        });
    }
    /** The one held is of no use any more. */
    refuse(need = 'refused') {
        this.need = need;
    }
    /** Milliseconds until the one held should be renewed; undefined where it does not end, or can't be renewed. */
    renewIn() {
        const end = this.endsAt();
        if (end === undefined || !this.renewable || end <= this.gotAt)
            return undefined;
        const margin = Math.min(earlier, (end - this.gotAt) / 5);
        return Math.min(longestSleep, Math.max(shortestSleep, end - margin - this.environment.date()));
    }
    endsAt() {
        const exp = this.held === undefined ? undefined : claimsOf(this.held).exp;
        return exp === undefined ? undefined : exp * 1000;
    }
    take(token) {
        this.held = token;
        this.need = undefined;
        this.gotAt = this.environment.date();
    }
}
