// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RequestError } from '@lishi/client'
import { QueriedList } from './list.svelte'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what is asked while it is being asked for makes one more turn, not many', async () => {
  const answers: ((rows: number[]) => void)[] = []
  const list = new QueriedList<number>(() => new Promise((resolve) => answers.push(resolve)))
  const first = list.refresh()
  const rest = [list.refresh(), list.refresh(), list.refresh()]
  expect(answers).toHaveLength(1)
  answers[0]!([1])
  await vi.advanceTimersByTimeAsync(0)
  expect(answers).toHaveLength(2)
  answers[1]!([1, 2])
  await Promise.all([first, ...rest])
  expect(list.rows).toEqual([1, 2])
  expect(answers).toHaveLength(2)
})

test('read models that are away are tried until they are back, and the old rows stay', async () => {
  let away = false
  const list = new QueriedList<number>(() => (away ? Promise.reject(new RequestError('unavailable', '', 'n')) : Promise.resolve([1])))
  await list.refresh()
  away = true
  await list.refresh()
  expect([list.rows, list.failure]).toEqual([[1], 'unavailable'])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(list.failure).toBe('unavailable')
  away = false
  await vi.advanceTimersByTimeAsync(3_000)
  expect([list.rows, list.failure]).toEqual([[1], undefined])
  expect(vi.getTimerCount()).toBe(0)
})

test('a refusal is not tried again by itself, and nothing after the end', async () => {
  let reason: 'not_member' | 'unavailable' = 'not_member'
  const list = new QueriedList<number>(() => Promise.reject(new RequestError(reason, '', 'n')))
  await list.refresh()
  expect([list.failure, vi.getTimerCount()]).toEqual(['not_member', 0])
  reason = 'unavailable'
  await list.refresh()
  list.stop()
  expect(vi.getTimerCount()).toBe(0)
})
