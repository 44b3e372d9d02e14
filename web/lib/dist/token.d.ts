import type { Environment } from './environment.ts';
import { type Promised } from './promised.ts';
/** Why a token is asked for. */
export type TokenNeed = 'first' | 'expiring' | 'refused';
/** A token that stays the same, or a function that gets one. It is called whenever another one is needed. */
export type TokenSource = string | ((need: TokenNeed) => Promised<string>);
export interface Claims {
    sub?: string;
    exp?: number;
}
/** Reads what a token says of itself. It does not check the token: that is the server's part. */
export declare function claimsOf(token: string): Claims;
/** The token of a client: kept, renewed before it ends and when it is refused. */
export declare class Tokens {
    private readonly source;
    private readonly environment;
    private held;
    private need;
    private gotAt;
    private asked;
    constructor(source: TokenSource, environment: Environment);
    /** Whether there may be another token than the one held. */
    get renewable(): boolean;
    /** The token that requests carry; empty before the first one came. */
    get current(): string;
    /** Gives the token held, or gets another one where it is needed. */
    get(next: (token: string) => void, failed: (error: unknown) => void): void;
    /** The one held is of no use any more. */
    refuse(need?: TokenNeed): void;
    /** Milliseconds until the one held should be renewed; undefined where it does not end, or can't be renewed. */
    renewIn(): number | undefined;
    private endsAt;
    private take;
}
