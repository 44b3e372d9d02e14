// What the protocol client needs of the world around it. Everything that
// differs from run to run (sockets, time, chance) comes from here, so the
// client itself is repeatable in tests.

export interface Socket {
  send(text: string): void
  close(): void
  onOpen: () => void
  onText: (text: string) => void
  onClose: (code: number) => void
}

export interface Environment {
  /** Starts to open a connection; the callbacks are set before any of them runs. */
  open(): Socket
  /** Milliseconds on a clock that only goes forward. */
  now(): number
  /** Calls back once after so many milliseconds, unless the returned function is called before. */
  later(ms: number, callback: () => void): () => void
  /** A number in [0, 1). */
  random(): number
  /** A new id for a request: 1 to 64 characters, never used before. */
  newId(): string
}

/** The browser's WebSocket, clock and chance. */
export function browserEnvironment(url: string): Environment {
  return {
    open() {
      const inner = new WebSocket(url)
      const socket: Socket = {
        send: (text) => inner.send(text),
        close: () => inner.close(),
        onOpen: () => {},
        onText: () => {},
        onClose: () => {},
      }
      inner.onopen = () => socket.onOpen()
      inner.onmessage = (event) => {
        if (typeof event.data === 'string') socket.onText(event.data)
      }
      inner.onclose = (event) => socket.onClose(event.code)
      return socket
    },
    now: () => performance.now(),
    later(ms, callback) {
      const timer = setTimeout(callback, ms)
      return () => clearTimeout(timer)
    },
    random: () => Math.random(),
    newId,
  }
}

// crypto.randomUUID exists only on https and localhost; a page served in the
// local network needs ids as well.
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
