import { expect, test } from 'vitest'
import { backoff } from '../src/backoff.ts'
import { afterClose, closings } from '../src/closing.ts'
import { keepsIdentity, ownReasons, reasons, RequestError } from '../src/errors.ts'
import { laneOf } from '../src/lanes.ts'
import { claimsOf } from '../src/token.ts'

test('a backoff is anything up to a bound that doubles, to a limit', () => {
  for (let attempt = 0; attempt < 2000; attempt++) {
    const bound = Math.min(30_000, 500 * 2 ** attempt)
    expect(backoff(attempt, 0)).toBe(0)
    expect(backoff(attempt, 0.5)).toBe(bound / 2)
    expect(backoff(attempt, 0.999)).toBeLessThan(bound)
  }
})

test('a repeat is the same request as long as the first may have happened', () => {
  for (const reason of ['unknown', 'unavailable', 'rate_limited', 'unauthorized', 'too_long', 'timeout', 'stopped'] as const) expect(keepsIdentity(reason)).toBe(true)
  for (const reason of ['not_friend', 'not_member', 'blocked', 'muted', 'conflict'] as const) expect(keepsIdentity(reason)).toBe(false)
})

test('every reason says whether trying again makes sense', () => {
  const again = [...reasons, ...ownReasons].map((reason) => `${reason}: ${new RequestError(reason, '', 'n').again}`)
  expect(again).toEqual([
    'bad_request: no',
    'too_long: no',
    'unauthorized: token',
    'forbidden: no',
    'not_friend: no',
    'not_member: no',
    'blocked: no',
    'muted: no',
    'unknown_url: no',
    'not_found: no',
    'conflict: no',
    'rate_limited: later',
    'unavailable: later',
    'unknown: now',
    'timeout: now',
    'aborted: no',
    'queue_full: later',
    'stopped: later',
  ])
})

test('an error says where and why in its message', () => {
  expect(String(new RequestError('muted', 'until noon', 'n', 'refused', '/chat/sendMessage'))).toBe('RequestError: /chat/sendMessage: muted: until noon')
  expect(new RequestError('unknown', '', 'n').message).toBe('unknown')
})

test('every close code has one consequence, and one that nobody knows is a loss like others', () => {
  expect(Object.entries(closings).map(([code, { then }]) => `${code} ${then}`)).toEqual([
    ...['1000', '1001', '1002', '1003', '1005', '1006', '1007', '1008'].map((code) => `${code} resume`),
    '1009 shed',
    '1011 resume',
    '4001 renew',
    '4003 resume',
    '4008 resume',
    '4009 rest',
  ])
  expect(afterClose(4999)).toBe('resume')
})

test('the lane of a command is its conversation, a read mark has its own', () => {
  const lane = (url: string, params: Record<string, unknown>) => laneOf(url, params)
  expect(lane('/chat/sendMessage', { receiveUserId: 'bob' })).toBe('person bob')
  expect(lane('/friend/applyFriend', { userId: 'bob', friendGroupId: 'f' })).toBe('person bob')
  expect(lane('/friend/updateFriend', { friendId: 'bob' })).toBe('person bob')
  expect(lane('/chat/sendGroupMessage', { groupId: 'g', messageContent: 'userId' })).toBe('group g')
  expect(lane('/group/muteMember', { groupId: 'g', userId: 'bob' })).toBe('group g')
  expect(lane('/chat/readMessage', { userId: 'bob', position: 'c0-1' })).toBe('read person bob')
  expect(lane('/chat/editMessage', { position: 'c0-1' })).toBe('message c0-1')
  expect(lane('/group/userVerify', { applyGroupId: 'a' })).toBe('application a')
  expect(lane('/user/updateUser', { nickName: 'Bob' })).toBe('own')
})

test('claims are read from a token, and nothing from what is none', () => {
  const token = (claims: string) => `h.${btoa(String.fromCharCode(...new TextEncoder().encode(claims))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}.s`
  expect(claimsOf(token('{"sub":"黛玉","exp":1700000000,"role":"admin"}'))).toEqual({ sub: '黛玉', exp: 1700000000 })
  for (const text of ['', 'token', 'a.b.c', token('null'), token('[]'), token('{"sub":7,"exp":"soon"}'), token('{')]) expect(claimsOf(text)).toEqual({})
})
