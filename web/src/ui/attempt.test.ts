import { RequestError } from '@lishi/client'
import { expect, test } from 'vitest'
import { t } from '../i18n/language.svelte'
import { Attempt } from './attempt.svelte'

const refused = new RequestError('not_found', '', '1')

test('an attempt is busy until it is answered, and says why it did not work', async () => {
  const attempt = new Attempt()
  const running = attempt.run(() => Promise.reject(refused))
  expect([attempt.busy, attempt.problem]).toEqual([true, ''])
  await running
  expect([attempt.busy, attempt.problem]).toEqual([false, t('reason_not_found')])
  const again = attempt.run(() => Promise.resolve())
  expect([attempt.busy, attempt.problem]).toEqual([true, ''])
  await again
  expect([attempt.busy, attempt.problem]).toEqual([false, ''])
})

test('an attempt explains in words of its own, and may find a problem itself', async () => {
  const attempt = new Attempt((error) => `no: ${(error as RequestError).reason}`)
  await attempt.run(() => Promise.reject(refused))
  expect(attempt.problem).toBe('no: not_found')
  await attempt.run(async () => void (attempt.problem = 'nobody there'))
  expect(attempt.problem).toBe('nobody there')
})

test('an attempt hides no fault of the page', async () => {
  const attempt = new Attempt()
  await expect(attempt.run(() => Promise.reject(new TypeError('a fault')))).rejects.toThrow('a fault')
  expect([attempt.busy, attempt.problem]).toEqual([false, ''])
})
