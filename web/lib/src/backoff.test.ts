import { expect, test } from 'vitest'
import { backoff } from './backoff.ts'
import { keepsIdentity } from './outbox.ts'

test('doubles up to the limit, and at least half of it always', () => {
  for (const chance of [0, 0.3, 0.999]) {
    for (let attempt = 0; attempt < 2000; attempt++) {
      const full = Math.min(15_000, 400 * 2 ** attempt)
      const wait = backoff(attempt, chance)
      expect(wait).toBeGreaterThanOrEqual(full / 2)
      expect(wait).toBeLessThan(full)
    }
  }
})

test('a repeat is the same request as long as the first may have happened', () => {
  for (const reason of ['unknown', 'unavailable', 'rate_limited', 'unauthorized', 'too_long'] as const) expect(keepsIdentity(reason)).toBe(true)
  for (const reason of ['not_friend', 'not_member', 'blocked', 'muted', 'conflict'] as const) expect(keepsIdentity(reason)).toBe(false)
})
