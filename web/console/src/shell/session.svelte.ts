// Who looks, with which token and for which reason. All of it lives in this tab
// alone and goes with it.

export type Role = 'admin' | 'auditor' | 'analyst'

export interface Me {
  userId: string
  name?: string
  role: Role
  expires: string | null
  reasonWanted: boolean
  time: string
  version: string
  node: string
  log: string
  zone: string
}

const tokenKey = 'lishi.console.token'
const reasonKey = 'lishi.console.reason'

/** The token that a link brought (#token=…), which is taken out of the address. */
export function linkedToken(hash: string): string | undefined {
  const found = /^#token=([^&]+)(?:&to=(.*))?$/.exec(hash)
  return found ? decodeURIComponent(found[1]!) : undefined
}

class Session {
  token = $state('')
  reason = $state('')
  me = $state.raw<Me | undefined>()
  /** Why one has to sign in (again): a reason word, with the server's sentence. */
  problem = $state.raw<{ reason: string; message: string } | undefined>()
  busy = $state(false)
  /** Set while the dialog asks why. */
  asking = $state.raw<((reason: string) => void) | undefined>()
  private ending: ReturnType<typeof setTimeout> | undefined
  private asked: Promise<boolean> | undefined

  /** Signs in with what the address or this tab holds. */
  async begin(): Promise<void> {
    const linked = linkedToken(location.hash)
    if (linked !== undefined) history.replaceState(null, '', location.pathname + location.search)
    this.reason = linked === undefined ? (sessionStorage.getItem(reasonKey) ?? '') : ''
    const token = linked ?? sessionStorage.getItem(tokenKey)
    if (token) await this.signIn(token)
  }

  async signIn(token: string): Promise<void> {
    this.busy = true
    this.problem = undefined
    try {
      const answer = await fetch('./api/session', { headers: { Authorization: `Bearer ${token.trim().replace(/[^\x21-\x7e]/g, '')}` }, cache: 'no-store' })
      const body = (await answer.json()) as Me & { reason?: string; message?: string }
      if (!answer.ok) {
        this.problem = { reason: body.reason ?? 'internal', message: body.message ?? '' }
        return
      }
      this.token = token.trim()
      this.me = body
      sessionStorage.setItem(tokenKey, this.token)
      this.expireIn(body.expires === null ? Infinity : Date.parse(body.expires) - Date.parse(body.time))
    } catch (error) {
      this.problem = { reason: 'offline', message: String(error) }
    } finally {
      this.busy = false
    }
  }

  may(roles: readonly Role[]): boolean {
    return this.me !== undefined && (this.me.role === 'admin' || roles.includes(this.me.role))
  }

  /** By the server's clock, so that a page that asks for nothing ends too. */
  private expireIn(ms: number): void {
    clearTimeout(this.ending)
    if (ms < 2 ** 31) this.ending = setTimeout(() => this.expire(), Math.max(0, ms)) // a longer timer would fire at once
  }

  /** The token is no longer taken. */
  expire(): void {
    if (!this.me) return
    this.signOut()
    this.problem = { reason: 'unauthorized', message: '' }
  }

  signOut(): void {
    clearTimeout(this.ending)
    this.answer('')
    this.token = this.reason = ''
    this.me = undefined
    this.problem = undefined
    sessionStorage.removeItem(tokenKey)
    sessionStorage.removeItem(reasonKey)
  }

  /** Asks why one looks; all who wait for it share the answer. False: no answer was given. */
  askReason(): Promise<boolean> {
    this.asked ??= new Promise<boolean>((resolve) => {
      this.asking = (reason) => {
        this.asking = this.asked = undefined
        if (reason) this.because(reason)
        resolve(reason !== '')
      }
    })
    return this.asked
  }

  /** Answers the dialog; '' is no answer. */
  answer(reason: string): void {
    this.asking?.(reason.trim())
  }

  because(reason: string): void {
    this.reason = reason
    sessionStorage.setItem(reasonKey, reason)
  }
}

export const session = new Session()
