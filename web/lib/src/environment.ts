// What the client needs of the world around it. Everything that differs from
// run to run (sockets, time, chance) comes from here, so the client itself is
// repeatable in tests.

export interface Socket {
  send(text: string): void
  close(): void
  onOpen: () => void
  onText: (text: string) => void
  onClose: (code: number) => void
}

/** The part of navigator.locks that is used. */
export interface Locks {
  request(name: string, options: { ifAvailable?: boolean; signal?: AbortSignal }, callback: (lock: unknown) => Promise<void>): Promise<void>
}

export interface Environment {
  /** Starts to open a connection; the callbacks are set before any of them runs. */
  open(): Socket
  /** Milliseconds on a clock that only goes forward. */
  now(): number
  /** Unix milliseconds. */
  date(): number
  /** Calls back once after so many milliseconds, unless the returned function is called before. */
  later(ms: number, callback: () => void): () => void
  /** A number in [0, 1). */
  random(): number
  /** A new id for a request: 1 to 64 characters, never used before. */
  newId(): string
  /** Calls back when the network or the person is back, until the returned function is called. */
  onWake(callback: () => void): () => void
  /** Locks that all tabs of an origin share; undefined where there are none. */
  readonly locks: Locks | undefined
}

// Events are typed as loosely as the browser's WebSocket, Node's and the
// package ws have them in common.
interface AnySocket {
  send(text: string): void
  close(): void
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
}

/** A WebSocket as browsers have it: Node's own, or that of the package `ws`. */
export type WebSocketClass = new (url: string) => AnySocket

/** This browser's or Node's sockets, clock and chance. It throws a TypeError where the url is none, or there is no WebSocket. */
export function localEnvironment(url: string, given?: WebSocketClass): Environment {
  const address = socketUrl(url)
  const WebSocketHere = given ?? (globalThis.WebSocket as WebSocketClass | undefined)
  if (!WebSocketHere) throw new TypeError('there is no WebSocket here: before Node 22 give the one of the package ws as the option WebSocket')
  return {
    open() {
      const inner = new WebSocketHere(address)
      const socket: Socket = {
        send: (text) => inner.send(text),
        close: () => inner.close(),
        onOpen: () => {},
        onText: () => {},
        onClose: () => {},
      }
      inner.onopen = () => socket.onOpen()
      inner.onmessage = (event: { data: unknown }) => {
        if (typeof event.data === 'string') socket.onText(event.data)
      }
      inner.onclose = (event: { code: number }) => socket.onClose(event.code)
      inner.onerror = () => {} // a close follows; the package ws throws where nobody listens
      return socket
    },
    now: () => performance.now(),
    date: () => Date.now(),
    later(ms, callback) {
      const timer = setTimeout(callback, Math.min(ms, 0x7fffffff))
      return () => clearTimeout(timer)
    },
    random: () => Math.random(),
    newId,
    onWake,
    locks: (globalThis.navigator as { locks?: Locks } | undefined)?.locks,
  }
}

function socketUrl(text: string): string {
  const url = new URL(text, (globalThis as { location?: { href: string } }).location?.href)
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new TypeError(`${text} is no url of a WebSocket: it begins with ws: or wss:`)
  url.hash = ''
  return url.href
}

// crypto.randomUUID exists only on https and localhost; a page served in the
// local network needs ids as well.
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function onWake(callback: () => void): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => {}
  const seen = () => {
    if (document.visibilityState === 'visible') callback() // timers sleep in a hidden page
  }
  window.addEventListener('online', callback)
  document.addEventListener('visibilitychange', seen)
  return () => {
    window.removeEventListener('online', callback)
    document.removeEventListener('visibilitychange', seen)
  }
}
