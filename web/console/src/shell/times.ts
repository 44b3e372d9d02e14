// Moments, ranges and zones. A bound of a range is relative (now, -15m, -24h,
// -7d) or a moment (ISO 8601, UTC), and stands in the address as it is.

export const relative = /^(?:now|-(\d{1,5})(m|h|d|w))$/

const unit = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const

/** The moment that a bound means; undefined if it is none. */
export function moment(bound: string, now: number): number | undefined {
  const found = relative.exec(bound)
  if (found) return bound === 'now' ? now : now - Number(found[1]) * unit[found[2] as keyof typeof unit]
  if (!/^\d{4}-\d\d-\d\dT/.test(bound)) return undefined
  const time = Date.parse(bound)
  return Number.isNaN(time) ? undefined : time
}

const formatters = new Map<string, Intl.DateTimeFormat>()

function format(time: number, locale: string, options: Intl.DateTimeFormatOptions): string {
  const key = locale + JSON.stringify(options)
  let formatter = formatters.get(key)
  if (!formatter) formatters.set(key, (formatter = new Intl.DateTimeFormat(locale, options)))
  return formatter.format(time)
}

/** 2026-11-23 21:05:09.123 in a zone: sortable, the same in every language. */
export function exact(time: number | string, zone: string, milliseconds = false): string {
  const at = typeof time === 'string' ? Date.parse(time) : time
  if (Number.isNaN(at)) return String(time)
  const text = format(at, 'sv-SE', {
    timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
  })
  return milliseconds ? `${text}.${String(((at % 1000) + 1000) % 1000).padStart(3, '0')}` : text
}

/** The wall clock of a moment in a zone, as <input type=datetime-local> wants it. */
export function wall(time: number, zone: string): string {
  return exact(time, zone).slice(0, 16).replace(' ', 'T')
}

/** The moment at which the clocks of a zone show a wall time; the earlier one where they do twice. */
export function momentOf(wallTime: string, zone: string): number | undefined {
  const asUTC = Date.parse(`${wallTime}Z`)
  if (Number.isNaN(asUTC)) return undefined
  const offsetAt = (time: number): number => Date.parse(`${exact(time, zone).replace(' ', 'T')}Z`) - Math.floor(time / 1000) * 1000
  // The offset a day before and after: around a change of clocks one of the two fits.
  for (const offset of [offsetAt(asUTC - 86_400_000), offsetAt(asUTC + 86_400_000)]) {
    if (offsetAt(asUTC - offset) === offset) return asUTC - offset
  }
  return asUTC - offsetAt(asUTC - 86_400_000) // a time that the clocks leap over
}

/** All zones that the browser knows, with UTC. */
export function zones(): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]
}

export function knownZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return zone !== ''
  } catch {
    return false
  }
}

/** 3 minutes ago, in 2 hours: for reading, with the exact time beside it. */
export function ago(time: number, now: number, locale: string): string {
  const seconds = (time - now) / 1000
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  for (const [size, name] of [[86_400, 'day'], [3600, 'hour'], [60, 'minute']] as const) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), name)
  }
  return relative.format(Math.trunc(seconds), 'second')
}
