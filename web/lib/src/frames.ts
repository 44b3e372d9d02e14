import type { ServerReason } from './errors.ts'
import type { BacklogData, LoginData, Push } from './pushes.ts'

// What travels on the WebSocket: results and pushes.

/** `obj` of a result: what any url may give. */
export interface ResultObject {
  uniqueNo: string
  reason?: ServerReason
  detail?: string
  retryAfterMs?: number
  position?: string
  time?: number
  messageId?: string
  applyFriendId?: string
  applyGroupId?: string
  groupId?: string
  friendGroupId?: string
  applyState?: string
  list?: unknown[]
  next?: string
}

export interface Result {
  code: number
  msg: string
  obj: ResultObject
}

/** A push of an event, or one that is the connection's own affair. */
export type AnyPush = Push | { msgType: '8'; data: LoginData } | { msgType: '15'; data: BacklogData }

export type Frame = { kind: 'result'; result: Result } | { kind: 'push'; push: AnyPush } | { kind: 'other' }

/**
 * Tells what a received text is. A frame of a kind that this client does not
 * know is 'other' and may be ignored: the protocol grows by new kinds only.
 */
export function parseFrame(text: string): Frame {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'other' }
  }
  if (!isObject(value)) return { kind: 'other' }
  const { msgType, data, code, obj } = value
  if (typeof msgType === 'string' && isObject(data)) return { kind: 'push', push: value as unknown as AnyPush }
  if (typeof code === 'number' && isObject(obj)) return { kind: 'result', result: value as unknown as Result }
  return { kind: 'other' }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
