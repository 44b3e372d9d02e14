import { backoff } from './backoff.ts'
import type { Environment, Socket } from './environment.ts'
import { closeCode, parseFrame, type LoginData, type Push, type Reason, type ResultObject } from './frames.ts'
import { Outbox } from './outbox.ts'
import { Cursor } from './position.ts'

/** Where the connection stands. */
export type Phase =
  | { name: 'connecting' } // a socket is being opened, or the login is not answered yet
  | { name: 'resuming' } // logged in; what was missed is being delivered
  | { name: 'live' }
  | { name: 'waiting'; retryAt: number } // lost; the next attempt is at this time of Environment.now
  | { name: 'ended'; reason: Reason } // refused for good: another token is needed

export interface Listener {
  phase(phase: Phase): void
  /** Every push but 8 and 15, each position once, in log order per prefix. */
  push(push: Push): void
  /**
   * The connection became live. Resumed: nothing was missed. Otherwise the
   * state has to be asked for, since there was no cursor that could be served.
   */
  live(resumed: boolean): void
  /** A login was accepted: what the server said with it. */
  login?(data: LoginData): void
}

const silentFor = 20_000 // then a ping is sent
const answerPingWithin = 10_000
const loginWithin = 15_000
const watchEvery = 5_000

/**
 * One person's connection to lishi, kept up over losses: it logs in with the
 * cursor of everything received so far, gets what was missed, then sends again
 * whatever was not answered.
 */
export class Client {
  private socket: Socket | undefined
  private cursor = new Cursor()
  private readonly outbox: Outbox
  private current: Phase = { name: 'connecting' }
  private attempts = 0
  private loginId = ''
  private withCursor = false
  private heardAt = 0
  private pingedAt = -1
  private stopTimer: (() => void) | undefined
  private stopWatch: (() => void) | undefined

  constructor(
    private readonly token: string,
    private readonly environment: Environment,
    private readonly listener: Listener,
  ) {
    this.outbox = new Outbox(token, environment)
  }

  /** The positions reached, as text for `seen` and for a login. */
  get seen(): string {
    return this.cursor.toString()
  }

  get phase(): Phase {
    return this.current
  }

  start(): void {
    this.connect()
  }

  /** Closes for good; requests under way fail as unknown. */
  stop(): void {
    this.drop()
    this.stopTimer?.()
    this.outbox.end('unknown', '')
  }

  /** Does not wait for the next attempt's time. Use it when the network is back. */
  retryNow(): void {
    if (this.current.name === 'waiting') this.connect()
  }

  /** Does something. Resolves when it is in the log, rejects with a RequestError. */
  command(url: string, params: Record<string, unknown>, options: { uniqueNo?: string; repeated?: boolean } = {}): Promise<ResultObject> {
    return this.outbox.add(url, params, { ...options, command: true })
  }

  /** Asks for rows. */
  async query<Row>(url: string, params: Record<string, unknown> = {}): Promise<{ list: Row[]; next: string | undefined }> {
    const obj = await this.outbox.add(url, params, { command: false })
    return { list: (obj.list ?? []) as Row[], next: obj.next }
  }

  newId(): string {
    return this.environment.newId()
  }

  private enter(phase: Phase): void {
    this.current = phase
    this.listener.phase(phase)
  }

  private connect(): void {
    this.stopTimer?.()
    this.drop()
    this.enter({ name: 'connecting' })
    const socket = this.environment.open()
    this.socket = socket
    socket.onOpen = () => this.login()
    socket.onText = (text) => this.receive(text)
    socket.onClose = (code) => this.lost(code)
    this.heardAt = this.environment.now()
    this.pingedAt = -1
    this.watch()
  }

  private login(): void {
    this.loginId = this.environment.newId()
    this.withCursor = !this.cursor.empty
    const params: Record<string, unknown> = { token: this.token, uniqueNo: this.loginId, own: true }
    if (this.withCursor) params.cursor = this.cursor.toString()
    this.transmit(JSON.stringify({ url: '/chat/login', params }))
  }

  private transmit(text: string): void {
    try {
      this.socket?.send(text)
    } catch {
      // A socket that is closing reports it by onClose, which sends again later.
    }
  }

  private receive(text: string): void {
    this.heardAt = this.environment.now()
    this.pingedAt = -1
    const frame = parseFrame(text)
    if (frame.kind === 'push') this.takePush(frame.push)
    if (frame.kind === 'result') {
      if (frame.result.code === 200) this.cursor.advance(frame.result.obj.position)
      this.outbox.answer(frame.result)
    }
  }

  private takePush(push: Push): void {
    if (push.msgType === '8') {
      this.loggedIn(push.data)
    } else if (push.msgType === '15') {
      this.cursor.merge(push.data.cursor)
      if (this.current.name === 'resuming' && push.data.complete !== false) this.becomeLive(true)
    } else {
      this.cursor.advance(push.data.position)
      this.listener.push(push)
    }
  }

  private loggedIn(data: LoginData): void {
    if (data.uniqueNo !== undefined && data.uniqueNo !== this.loginId) return
    if (data.code !== '200') return this.loginRefused(data.reason ?? 'unauthorized')
    this.listener.login?.(data)
    this.cursor.merge(data.cursor)
    if (this.withCursor) this.enter({ name: 'resuming' })
    else this.becomeLive(false)
  }

  private loginRefused(reason: Reason): void {
    switch (reason) {
      case 'unauthorized':
      case 'forbidden':
        return this.finish(reason)
      case 'unavailable':
      case 'unknown':
      case 'rate_limited':
        return this.lost(0)
      default:
        if (!this.withCursor) return this.finish(reason)
        // The cursor can't be served (another log, or one restored from an
        // older copy). Begin anew on the same connection.
        this.cursor = new Cursor()
        this.login()
    }
  }

  private becomeLive(resumed: boolean): void {
    this.attempts = 0
    this.enter({ name: 'live' })
    this.listener.live(resumed)
    this.outbox.connect((text) => this.transmit(text))
  }

  private finish(reason: Reason): void {
    this.drop()
    this.outbox.end(reason, '')
    this.enter({ name: 'ended', reason })
  }

  private lost(code: number): void {
    if (code === closeCode.tokenExpired || code === closeCode.loginsFailed) return this.finish('unauthorized')
    this.drop()
    const wait = backoff(this.attempts++, this.environment.random())
    this.enter({ name: 'waiting', retryAt: this.environment.now() + wait })
    this.stopTimer = this.environment.later(wait, () => this.connect())
  }

  // Lets go of the socket without waiting for its close: over a dead network
  // that can take minutes.
  private drop(): void {
    this.stopWatch?.()
    this.outbox.disconnect()
    const socket = this.socket
    if (!socket) return
    this.socket = undefined
    socket.onOpen = socket.onClose = () => {}
    socket.onText = () => {}
    socket.close()
  }

  // A browser answers the server's pings without telling the page, so the page
  // asks for itself whether the connection still lives.
  private watch(): void {
    this.stopWatch = this.environment.later(watchEvery, () => {
      const now = this.environment.now()
      const patience = this.current.name === 'live' ? silentFor + answerPingWithin : loginWithin
      if (now - this.heardAt >= patience && (this.current.name !== 'live' || this.pingedAt >= 0)) return this.lost(0)
      if (this.current.name === 'live') {
        if (now - this.heardAt >= silentFor && this.pingedAt < 0) {
          this.pingedAt = now
          this.transmit(JSON.stringify({ url: '/chat/ping', params: { uniqueNo: this.environment.newId() } }))
        }
        this.outbox.sweep()
      }
      this.watch()
    })
  }
}
