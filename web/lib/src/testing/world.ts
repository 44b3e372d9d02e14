import type { Environment, Locks, Socket } from '../environment.ts'

/** One connection as the server's end sees it. */
export class Wire implements Socket {
  onOpen = () => {}
  onText = (_text: string) => {}
  onClose = (_code: number) => {}
  readonly sent: { url: string; params: Record<string, unknown> }[] = []
  closed = false

  send(text: string): void {
    if (this.closed) throw new Error('sent on a closed socket')
    this.sent.push(JSON.parse(text) as Wire['sent'][number])
  }

  close(): void {
    this.closed = true
  }

  /** The server's frame reaches the client. */
  tell(frame: unknown): void {
    this.onText(JSON.stringify(frame))
  }

  push(msgType: string, data: Record<string, unknown>): void {
    this.tell({ msgType, data })
  }

  /** Answers the login with a success. */
  welcome(cursor: string): void {
    const login = this.sent.findLast((request) => request.url === '/chat/login')!
    this.push('8', { code: '200', msg: '登录成功', uniqueNo: login.params.uniqueNo, userId: 'ann', cursor })
  }

  refuseLogin(reason: string): void {
    const login = this.sent.findLast((request) => request.url === '/chat/login')!
    this.push('8', { code: '400', msg: '登录失败', uniqueNo: login.params.uniqueNo, reason })
  }

  succeed(uniqueNo: unknown, more: Record<string, unknown> = {}): void {
    this.tell({ code: 200, msg: '成功', obj: { uniqueNo, ...more } })
  }

  fail(uniqueNo: unknown, reason: string, more: Record<string, unknown> = {}): void {
    this.tell({ code: 400, msg: '失败', obj: { uniqueNo, reason, detail: `because ${reason}`, ...more } })
  }

  requests(url: string): Record<string, unknown>[] {
    return this.sent.filter((request) => request.url === url).map((request) => request.params)
  }
}

/** A world in which time passes only when told, and ids count up. */
export class World implements Environment {
  readonly wires: Wire[] = []
  chance = 0.5
  /** Tells the ids of several worlds apart. */
  idPrefix = ''
  locks: Locks | undefined = undefined
  /** Unix milliseconds of the moment when the clock stands at 0. */
  began = 1_700_000_000_000
  private readonly wakers = new Set<() => void>()
  private time = 0
  private ids = 0
  private timers: { at: number; callback: () => void }[] = []

  open(): Wire {
    const wire = new Wire()
    this.wires.push(wire)
    return wire
  }

  now(): number {
    return this.time
  }

  date(): number {
    return this.began + this.time
  }

  onWake(callback: () => void): () => void {
    this.wakers.add(callback)
    return () => this.wakers.delete(callback)
  }

  /** The network or the person is back. */
  wake(): void {
    for (const callback of this.wakers) callback()
  }

  later(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((one) => one !== timer)
    }
  }

  random(): number {
    return this.chance
  }

  newId(): string {
    return `${this.idPrefix}id${++this.ids}`
  }

  get wire(): Wire {
    return this.wires.at(-1)!
  }

  /** Lets time pass; what is due happens in its order. */
  pass(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.time = next.at
      next.callback()
    }
    this.time = end
  }
}
