import { Cursor } from '../src/position.ts'
import type { Wire } from '../src/testing/world.ts'

/** A sequence of numbers in [0, 1) that a seed decides (mulberry32). */
export function chances(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export interface LoggedEvent {
  prefix: string
  offset: number
  position: string
  sender: string
  lane: string
  text: string
  uniqueNo: string
}

interface Line {
  read: number // frames of the wire that were read
  out: string[] // on their way to the client
  live: boolean
}

/**
 * lishi as one user's client sees it: a log of two partitions, idempotent by
 * uniqueNo, pushes, cursors, refusals. What it answers follows the protocol's
 * words; when things happen is up to the test.
 */
export class Model {
  readonly log: LoggedEvent[] = []
  private readonly lines = new Map<Wire, Line>()

  /** Frames that wait to be read, texts that wait to be delivered. */
  waiting(wire: Wire): { toRead: boolean; toDeliver: boolean } {
    const line = this.line(wire)
    return { toRead: !wire.closed && line.read < wire.sent.length, toDeliver: !wire.closed && line.out.length > 0 }
  }

  deliver(wire: Wire): void {
    const text = this.line(wire).out.shift()
    if (text !== undefined) wire.onText(text)
  }

  /** The connection breaks: what is on its way is lost both ways. */
  drop(wire: Wire, code: number): void {
    this.lines.delete(wire)
    const { onClose } = wire
    wire.closed = true
    onClose(code)
  }

  /** Somebody else says something. */
  hear(text: string): void {
    this.append('bob', 'person ann', text, `bob-${text}`, undefined)
  }

  /** Reads the next frame of a connection. `fault` is what goes wrong with a command. */
  read(wire: Wire, fault: 'rate_limited' | 'unavailable' | 'unknown, happened' | 'unknown, not happened' | undefined): void {
    const line = this.line(wire)
    const { url, params } = wire.sent[line.read++]!
    if (url === '/chat/login') return this.login(line, params)
    if (url === '/chat/ping') return void line.out.push(JSON.stringify({ code: 200, msg: 'pong', obj: { uniqueNo: params.uniqueNo } }))
    const uniqueNo = String(params.uniqueNo)
    const refuse = (reason: string) => line.out.push(JSON.stringify({ code: 400, msg: '失败', obj: { uniqueNo, reason, ...(reason === 'rate_limited' && { retryAfterMs: 30 }) } }))
    if (fault === 'rate_limited' || fault === 'unavailable') return void refuse(fault)
    if (fault === 'unknown, not happened') return void refuse('unknown')
    // Without resend only the latest events tell of a repeat.
    const known = (params.resend ? this.log : this.log.slice(-1)).find((event) => event.uniqueNo === uniqueNo)
    const event = known ?? this.append('ann', `person ${String(params.receiveUserId)}`, String(params.messageContent), uniqueNo, line)
    if (fault === 'unknown, happened') return void refuse('unknown')
    line.out.push(JSON.stringify({ code: 200, msg: '成功', obj: { uniqueNo, position: event.position, messageId: `m-${event.position}` } }))
  }

  private line(wire: Wire): Line {
    let line = this.lines.get(wire)
    if (!line) this.lines.set(wire, (line = { read: 0, out: [], live: false }))
    return line
  }

  private login(line: Line, params: Record<string, unknown>): void {
    const reached = Cursor.parse(this.end())
    const cursor = typeof params.cursor === 'string' ? Cursor.parse(params.cursor) : undefined
    const from = reached.clone().toString()
    line.live = true
    const completed = cursor ? completeWith(params.cursor as string, from) : from
    line.out.push(JSON.stringify({ msgType: '8', data: { code: '200', msg: '登录成功', uniqueNo: params.uniqueNo, userId: 'ann', cursor: completed } }))
    if (!cursor) return
    const start = Cursor.parse(completed)
    for (const event of this.log) if (!start.covers(event.position)) line.out.push(pushOf(event))
    line.out.push(JSON.stringify({ msgType: '15', data: { cursor: from, complete: true } }))
  }

  // Every connection but the acting one gets a push.
  append(sender: string, lane: string, text: string, uniqueNo: string, acting: Line | undefined): LoggedEvent {
    const prefix = lane.endsWith('ann') || lane.endsWith('bob') ? 'c0' : 'c1'
    const offset = this.log.filter((event) => event.prefix === prefix).length
    const event = { prefix, offset, position: `${prefix}-${offset}`, sender, lane, text, uniqueNo }
    this.log.push(event)
    for (const [wire, line] of this.lines) if (line.live && line !== acting && !wire.closed) line.out.push(pushOf(event))
    return event
  }

  // Where a partition is empty its last offset is -1, which positions can't say: it is left out.
  private end(): string {
    const cursor = new Cursor()
    for (const event of this.log) cursor.advance(event.position)
    return cursor.toString()
  }
}

function completeWith(cursor: string, live: string): string {
  const prefixes = new Set(cursor.split(',').map((position) => position.split('-')[0]))
  return [cursor, ...live.split(',').filter((position) => position !== '' && !prefixes.has(position.split('-')[0]))].join(',')
}

function pushOf({ sender, lane, text, position }: LoggedEvent): string {
  const data = { sendUserId: sender, receiveUserId: lane.split(' ')[1], messageContent: text, receiveDate: '', messageId: `m-${position}`, position }
  return JSON.stringify({ msgType: '1', data })
}
