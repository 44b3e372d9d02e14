/**
 * Milliseconds to wait before attempt n (0 is the first repeat): anything up to
 * a bound that doubles each time, to a limit. All of it is chance ("full
 * jitter"), so that many clients who lost the same server do not come back in
 * the same moment. `chance` is a number in [0, 1).
 */
export function backoff(attempt, chance, base = 500, limit = 30_000) {
    return chance * Math.min(limit, base * 2 ** Math.min(attempt, 30));
}
