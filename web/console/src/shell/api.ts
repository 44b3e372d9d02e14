// How the console's pages ask the server. Whoever is refused gets a Refused with
// the server's reason word and sentence.
import { session } from './session.svelte'

export class Refused extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message)
  }
}

export type Params = Record<string, string | number | boolean | undefined | null>

export interface Asked {
  params?: Params
  body?: unknown // sent as JSON
  method?: string // GET, or POST with a body
  signal?: AbortSignal | undefined
  begun?: () => void // the answer has begun
}

async function ask(path: string, { params, body, method, signal }: Asked): Promise<Response> {
  for (let again = false; ; again = true) {
    const reason = session.reason
    const headers = new Headers({ Authorization: `Bearer ${session.token}` })
    if (reason) headers.set('Lishi-Reason', encodeURIComponent(reason))
    if (body !== undefined) headers.set('Content-Type', 'application/json')
    let answer: Response
    try {
      answer = await fetch(url(path, params), {
        method: method ?? (body === undefined ? 'GET' : 'POST'), headers, signal: signal ?? null, cache: 'no-store',
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new Refused('offline', String(error))
    }
    if (answer.ok) return answer
    const refused = await refusal(answer)
    if (refused.reason === 'unauthorized') session.expire()
    if (refused.reason !== 'reason_missing' || again || !(await session.askReason())) throw refused
  }
}

async function refusal(answer: Response): Promise<Refused> {
  try {
    const { reason, message } = (await answer.json()) as { reason?: unknown; message?: unknown }
    if (typeof reason === 'string') return new Refused(reason, String(message ?? ''))
  } catch {
    // what answers is not lishi
  }
  return new Refused('internal', `HTTP ${answer.status}`)
}

export function url(path: string, params: Params = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '' && value !== false) query.set(name, String(value))
  }
  const text = query.toString()
  return text ? `.${path}?${text}` : `.${path}`
}

export const api = {
  /** One JSON value. */
  async get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
    const answer = await ask(path, { ...(params && { params }), signal })
    return (await answer.json()) as T
  },

  async post<T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> {
    const answer = await ask(path, { body, signal })
    return (await answer.json()) as T
  },

  /** An answer of lines (NDJSON), each as it comes. The server's error at the end is thrown. */
  async lines<T>(path: string, asked: Asked, each: (row: T) => void | Promise<void>): Promise<void> {
    const answer = await ask(path, asked)
    asked.begun?.()
    for await (const line of linesOf(answer.body!)) {
      const row = JSON.parse(line) as T & { error?: { reason?: string; message?: string } }
      if (typeof row === 'object' && row !== null && typeof row.error?.reason === 'string' && Object.keys(row).length === 1) {
        if (row.error.reason === 'unauthorized') session.expire()
        throw new Refused(row.error.reason, row.error.message ?? '')
      }
      await each(row)
    }
  },

  /** An answer's bytes, kept as a file under a name. */
  async download(path: string, asked: Asked, name: string): Promise<void> {
    save(await (await ask(path, asked)).blob(), name)
  },
}

export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true })
      const lines = rest.split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line.trim() !== '') yield line
      if (done) break
    }
    if (rest.trim() !== '') yield rest
  } finally {
    void reader.cancel().catch(() => {}) // whoever stops reading hangs up
  }
}

/** Lets the browser keep a file. */
export function save(content: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
