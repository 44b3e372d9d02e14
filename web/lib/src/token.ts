import type { Environment } from './environment.ts'
import { attempt, type Promised } from './promised.ts'

/** Why a token is asked for. */
export type TokenNeed =
  | 'first' // there is none yet
  | 'expiring' // the last one ends soon
  | 'refused' // the server did not take the last one, or it has ended

/** A token that stays the same, or a function that gets one. It is called whenever another one is needed. */
export type TokenSource = string | ((need: TokenNeed) => Promised<string>)

export interface Claims {
  sub?: string
  exp?: number // Unix seconds
}

/** Reads what a token says of itself. It does not check the token: that is the server's part. */
export function claimsOf(token: string): Claims {
  try {
    const part = token.split('.')[1] ?? ''
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; exp?: unknown } | null
    return {
      ...(typeof claims?.sub === 'string' && { sub: claims.sub }),
      ...(typeof claims?.exp === 'number' && { exp: claims.exp }),
    }
  } catch {
    return {}
  }
}

const earlier = 60_000 // milliseconds before its end that a token is renewed
const shortestSleep = 1000 // who gets the same token again is not asked without pause
const longestSleep = 86_400_000 // timers can't sleep for weeks

/** The token of a client: kept, renewed before it ends and when it is refused. */
export class Tokens {
  private held: string | undefined
  private need: TokenNeed | undefined // why the one held will not do
  private gotAt = 0
  private asked: Promised<string> | undefined

  constructor(
    private readonly source: TokenSource,
    private readonly environment: Environment,
  ) {
    if (typeof source === 'string') this.take(source)
  }

  /** Whether there may be another token than the one held. */
  get renewable(): boolean {
    return typeof this.source === 'function'
  }

  /** The token that requests carry; empty before the first one came. */
  get current(): string {
    return this.held ?? ''
  }

  /** Gives the token held, or gets another one where it is needed. */
  get(next: (token: string) => void, failed: (error: unknown) => void): void {
    const { source } = this
    if (typeof source === 'string') return next(source)
    const end = this.endsAt()
    const good = this.need === undefined && (end === undefined || this.environment.date() < end)
    if (this.held !== undefined && good) return next(this.held)
    const need = this.need ?? (this.held === undefined ? 'first' : 'expiring')
    attempt(
      () => (this.asked ??= source(need)), // who asks while somebody asks already gets the same token
      (token) => {
        this.asked = undefined
        if (typeof token !== 'string' || token === '') return failed(new TypeError('the token function gave no token'))
        this.take(token)
        next(token)
      },
      (error) => {
        this.asked = undefined
        failed(error)
      },
    )
  }

  /** The one held is of no use any more. */
  refuse(need: TokenNeed = 'refused'): void {
    this.need = need
  }

  /** Milliseconds until the one held should be renewed; undefined where it does not end, or can't be renewed. */
  renewIn(): number | undefined {
    const end = this.endsAt()
    if (end === undefined || !this.renewable || end <= this.gotAt) return undefined
    const margin = Math.min(earlier, (end - this.gotAt) / 5)
    return Math.min(longestSleep, Math.max(shortestSleep, end - margin - this.environment.date()))
  }

  private endsAt(): number | undefined {
    const exp = this.held === undefined ? undefined : claimsOf(this.held).exp
    return exp === undefined ? undefined : exp * 1000
  }

  private take(token: string): void {
    this.held = token
    this.need = undefined
    this.gotAt = this.environment.date()
  }
}
