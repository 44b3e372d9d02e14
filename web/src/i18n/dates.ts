const day = 86_400_000

// To make a formatter costs a hundred times what it costs to use it.
const formatters = new Map<string, Intl.DateTimeFormat>()

function format(time: number, locale: string, options: Intl.DateTimeFormatOptions): string {
  const key = locale + JSON.stringify(options)
  let formatter = formatters.get(key)
  if (!formatter) formatters.set(key, (formatter = new Intl.DateTimeFormat(locale, options)))
  return formatter.format(time)
}

function startOfDay(time: number): number {
  const date = new Date(time)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime()
}

/** Days between two moments by the calendar of the reader's zone. */
export function daysBetween(time: number, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(time)) / day)
}

export function sameDay(a: number, b: number): boolean {
  return startOfDay(a) === startOfDay(b)
}

/** 14:05 */
export function clock(time: number, locale: string): string {
  return format(time, locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

/** The day of a separator between messages: 今天, 昨天, 3月5日 星期四, 2020年7月2日. */
export function dayName(time: number, now: number, locale: string): string {
  const days = daysBetween(time, now)
  if (days === 0 || days === 1) return relative(days, locale)
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear()
  const options: Intl.DateTimeFormatOptions = sameYear ? { month: 'long', day: 'numeric', weekday: 'long' } : { year: 'numeric', month: 'long', day: 'numeric' }
  return format(time, locale, options)
}

/** The short time in a list: a clock today, then 昨天, a weekday, a date. */
export function shortTime(time: number, now: number, locale: string): string {
  if (time <= 0) return ''
  const days = daysBetween(time, now)
  if (days <= 0) return clock(time, locale)
  if (days === 1) return relative(1, locale)
  if (days < 7) return format(time, locale, { weekday: 'short' })
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear()
  const options: Intl.DateTimeFormatOptions = sameYear ? { month: 'numeric', day: 'numeric' } : { year: 'numeric', month: 'numeric', day: 'numeric' }
  return format(time, locale, options)
}

/** A time to come: a clock today, else a date with it. */
export function moment(time: number, now: number, locale: string): string {
  if (sameDay(time, now)) return clock(time, locale)
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear()
  return format(time, locale, { ...(sameYear ? {} : { year: 'numeric' }), month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

/** Everything, for a tooltip. */
export function fullTime(time: number, locale: string): string {
  return format(time, locale, { dateStyle: 'long', timeStyle: 'medium' })
}

function relative(days: number, locale: string): string {
  const text = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-days, 'day')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
