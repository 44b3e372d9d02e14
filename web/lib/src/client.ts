import { Connection, type Phase } from './connection.ts'
import { localEnvironment, type Environment, type WebSocketClass } from './environment.ts'
import { RequestError } from './errors.ts'
import type { ResultObject } from './frames.ts'
import { Inbox } from './inbox.ts'
import { Outbox, type CommandOptions, type Pending, type RequestOptions } from './outbox.ts'
import { Owner } from './owner.ts'
import { attempt, isPromise } from './promised.ts'
import type { LoginData, Push } from './pushes.ts'
import type { Store } from './store.ts'
import { claimsOf, Tokens, type TokenSource } from './token.ts'
import type { CommandArguments, Commands, CommandUrl, Queries, QueryArguments, QueryUrl, Rows } from './urls.ts'

export interface Options {
  /** A token, or a function that gets one. It is called at first, before a token ends and when one is refused. */
  token: TokenSource
  /** Where lishi's socket is: `wss://chat.example/ws`. http(s) urls and, on a page, relative ones will do. */
  url?: string
  /** Keeps unanswered commands and the cursor. Without one both end with this object. */
  store?: Store
  /** Whether the cursor is kept in the store (default true). Say false where the application forgets what it took anyway. */
  keepCursor?: boolean
  /** Unanswered commands at most, 1000 unless given; one more is refused with queue_full. */
  queueLimit?: number
  /** Pushes that may wait for the application, 5000 unless given; of more the rest is fetched again later. */
  pushLimit?: number
  /** The class to connect with where there is no global WebSocket: that of the package `ws`. */
  WebSocket?: WebSocketClass
  /** Sockets, clock and chance, for tests. Takes the place of url and WebSocket. */
  environment?: Environment
}

/** A kept command of an earlier life, or of a tab that is gone, was answered. */
export type Settled = Pending & ({ result: ResultObject } | { error: RequestError })

/** Something went wrong that no promise tells. The client goes on by itself. */
export interface Problem {
  kind:
    | 'cursor_refused' // the server can't serve the cursor: begun anew, ask for the lists
    | 'push_failed' // a push listener threw or rejected: the push comes again
    | 'listener_failed' // a listener of another event threw or rejected
    | 'store_failed' // the store failed
    | 'token_failed' // the token function failed: it is called again
    | 'socket_failed' // no socket could be made: tried again
  error: unknown
}

export interface Events {
  /** Where the connection stands. */
  phase: Phase
  /**
   * An event, each position once, in log order per prefix; the next one when the
   * promise is fulfilled that the listener may give. Where it throws or rejects,
   * the push comes again after a reconnect: the cursor stays before it.
   */
  push: Push
  /**
   * The connection became live, after the pushes that it missed were taken. True:
   * nothing was missed. False: there was no cursor to resume with; ask for the
   * lists.
   */
  live: boolean
  /** A login was accepted: what the server said with it. */
  login: LoginData
  settled: Settled
  problem: Problem
}

type Listener<Event> = (event: Event) => unknown

/**
 * One person's connection to lishi, kept up over losses: it logs in with the
 * cursor of everything taken so far, gets what was missed, then sends again
 * whatever was not answered. Every promise settles once.
 */
export class Client {
  private readonly environment: Environment
  private readonly tokens: Tokens
  private readonly connection: Connection
  private readonly outbox: Outbox
  private readonly inbox: Inbox
  private readonly listeners: { [Name in keyof Events]: Set<Listener<Events[Name]>> } = { phase: new Set(), push: new Set(), live: new Set(), login: new Set(), settled: new Set(), problem: new Set() }
  private person: string | undefined
  private owner: Owner | undefined
  private started = false
  private stopped = false
  private saving = false
  private unsaved: 'further' | 'anew' | undefined
  private stopWaking: (() => void) | undefined

  /** Throws a TypeError where the url is none, or there is no WebSocket. */
  constructor(private readonly options: Options) {
    this.environment = options.environment ?? localEnvironment(options.url ?? '', options.WebSocket)
    this.tokens = new Tokens(options.token, this.environment)
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
        if (result.code === 200) this.inbox.reach(result.obj.position)
        this.outbox.answer(result)
      },
      live: (resumed, transmit) => this.becameLive(resumed, transmit),
      renewed: (transmit) => this.outbox.connect(transmit),
      disconnected: () => this.outbox.disconnect(),
      idle: () => this.outbox.sweep(),
      shed: () => this.outbox.shed(),
    })
    this.outbox = new Outbox(
      this.environment,
      {
        token: () => this.tokens.current,
        renew: () => this.connection.renewRefused(),
        settled: (command, outcome) => this.tellSettled(command, outcome),
      },
      options.queueLimit ?? 1000,
      options.store !== undefined,
    )
    this.inbox = new Inbox(
      {
        take: (push) => this.hand(push),
        moved: () => this.saveCursor('further'),
        failed: (error) => {
          this.problem('push_failed', error)
          this.connection.again()
        },
        caughtUp: () => this.connection.again(),
      },
      options.pushLimit ?? 5000,
    )
  }

  /** Listens; the function that it gives ends that. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    this.listeners[name].add(listener)
    return () => this.listeners[name].delete(listener)
  }

  /** Connects, and stays connected until stop. Listen before. */
  start(): void {
    if (this.started) throw new Error('a client is started once')
    this.started = true
    this.stopWaking = this.environment.onWake(() => this.connection.wake())
    this.connection.connect()
  }

  /** Closes for good; no listener is called any more. Requests under way are rejected as stopped. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.connection.end('stopped', '', false)
    this.leave('stopped', '')
  }

  /** Does not wait for the next attempt's time. */
  retryNow(): void {
    this.connection.wake()
  }

  get phase(): Phase {
    return this.connection.phase
  }

  /** Whose token it is; undefined before there is one. */
  get userId(): string | undefined {
    return this.person
  }

  /** The positions that the application has taken, as text: for a login, or `seen` of a query over HTTP. */
  get cursor(): string {
    return this.inbox.cursor
  }

  /** Commands that are not answered yet, oldest first, those of an earlier life among them. */
  get pending(): Pending[] {
    return this.outbox.pending
  }

  /** Does something. Resolves when it is in the log, rejects with a RequestError. */
  async command<Url extends CommandUrl>(url: Url, ...[params, options]: CommandArguments<Url, CommandOptions>): Promise<Commands[Url]['result']> {
    return (await this.outbox.add(url, params ?? {}, true, options)) as unknown as Commands[Url]['result']
  }

  /** Asks for rows. Rejects with a RequestError. */
  async query<Url extends QueryUrl>(url: Url, ...[params, options]: QueryArguments<Url, RequestOptions>): Promise<Rows<Queries[Url]['row']>> {
    const { list = [], next } = await this.outbox.add(url, params ?? {}, false, options)
    return { list: list as Queries[Url]['row'][], next }
  }

  /** Gives an unanswered command up: its promise is rejected as aborted, and nobody sends it again. False where there is none. */
  discard(uniqueNo: string): boolean {
    return this.outbox.withdraw(uniqueNo, 'aborted', 'it was discarded')
  }

  /** A new id for a request. */
  newId(): string {
    return this.environment.newId()
  }

  private prepare(token: string, next: () => void): void {
    const { sub = '' } = claimsOf(token)
    if (this.person === undefined) return this.open(sub, next)
    if (sub === this.person) return next()
    this.connection.end('unauthorized', 'the token function gave the token of another user')
  }

  private open(user: string, next: () => void): void {
    const { store } = this.options
    this.person = user
    if (!store) return next()
    const failed = (error: unknown) => this.problem('store_failed', error)
    const notLoaded = (error: unknown) => {
      failed(error)
      this.person = this.owner = undefined
      owner.stop()
      this.connection.again()
    }
    const owner = new Owner(this.environment, store, user, (commands) => this.outbox.restore(commands), failed)
    this.owner = owner
    attempt(
      () => store.load(user),
      ({ cursor, commands }) => {
        if (this.options.keepCursor !== false) this.inbox.begin(cursor)
        const put = ({ uniqueNo, url, params, at }: Pending) => store.put(user, { uniqueNo, url, params, at, owner: owner.id })
        const remove = (uniqueNo: string) => attempt(() => store.remove(user, uniqueNo), () => {}, failed)
        attempt(
          () => owner.adopt(commands),
          (adopted) => {
            this.outbox.open({ put, remove }, adopted)
            next()
          },
          notLoaded,
        )
      },
      notLoaded,
    )
  }

  private entered(phase: Phase): void {
    if (phase.name === 'ended') this.leave(phase.reason, phase.detail)
    this.tell('phase', phase)
  }

  private leave(reason: RequestError['reason'], detail: string): void {
    this.inbox.stop()
    this.outbox.end(reason, detail)
    this.owner?.stop()
    this.stopWaking?.()
  }

  private becameLive(resumed: boolean, transmit: (text: string) => void): void {
    this.outbox.connect(transmit)
    this.adoptAgain()
    this.inbox.then(() => this.tell('live', resumed))
  }

  // Commands of tabs that are gone, and that this one has not heard of yet.
  private adoptAgain(): void {
    const { owner, person = '' } = this
    const { store } = this.options
    if (!store || !owner || !this.environment.locks) return
    const look = async () => this.outbox.restore(await owner.adopt((await store.load(person)).commands))
    look().catch((error: unknown) => this.problem('store_failed', error))
  }

  private begin(detail: string): void {
    this.inbox.begin('')
    this.saveCursor('anew')
    this.problem('cursor_refused', new Error(detail))
  }

  private hand(push: Push): Promise<unknown> | undefined {
    const promises = [...this.listeners.push].map((listener) => listener(push)).filter(isPromise)
    return promises.length === 0 ? undefined : Promise.all(promises)
  }

  private saveCursor(how: 'further' | 'anew'): void {
    const { store, keepCursor } = this.options
    if (!store || keepCursor === false || this.person === undefined) return
    if (this.saving) {
      if (this.unsaved !== 'anew') this.unsaved = how
      return
    }
    const user = this.person
    this.saving = true
    this.unsaved = undefined
    const done = () => {
      this.saving = false
      if (this.unsaved) this.saveCursor(this.unsaved)
    }
    attempt(
      () => store.saveCursor(user, this.inbox.cursor, how === 'anew'),
      done,
      (error) => {
        this.problem('store_failed', error)
        done()
      },
    )
  }

  private tellSettled({ uniqueNo, url, params, at }: Pending, outcome: ResultObject | RequestError): void {
    const command = { uniqueNo, url, params, at }
    this.tell('settled', outcome instanceof RequestError ? { ...command, error: outcome } : { ...command, result: outcome })
  }

  private problem(kind: Problem['kind'], error: unknown): void {
    if (this.listeners.problem.size === 0) console.error(`lishi: ${kind}`, error)
    else this.tell('problem', { kind, error })
  }

  private tell<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    if (this.stopped) return
    // What a listener does wrong must not end up in the middle of the client.
    const failed = (error: unknown) => (name === 'problem' ? console.error('lishi: listener_failed', error) : this.problem('listener_failed', error))
    for (const listener of [...this.listeners[name]]) attempt(() => listener(event), () => {}, failed)
  }
}
