/**
 * Milliseconds to wait before attempt n (0 is the first repeat): doubled each
 * time up to a limit, and half of it by chance, so that many clients who lost
 * the same server do not all come back in the same moment.
 */
export function backoff(attempt: number, chance: number, base = 400, limit = 15_000): number {
  const full = Math.min(limit, base * 2 ** Math.min(attempt, 30))
  return full / 2 + (chance * full) / 2
}
