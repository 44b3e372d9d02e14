import { chosenLanguage, fill, keepLanguage, localeOf, type Language } from '../../src/i18n/preference'

class Tongue {
  current = $state<Language>(chosenLanguage())

  get locale(): string {
    return localeOf(this.current)
  }

  choose(language: Language): void {
    this.current = language
    keepLanguage(language)
  }
}

export const tongue = new Tongue()

export interface Texts<Key extends string = string> {
  (key: Key, values?: Record<string, string | number>): string
  zh: Record<Key, string>
  en: Record<Key, string>
}

/**
 * The texts of one part of the console, in both languages: a page's stand in its
 * folder. English must have the keys of Chinese; a test compares the rest.
 */
export function texts<const Key extends string>(zh: Record<Key, string>, en: Record<NoInfer<Key>, string>): Texts<Key> {
  const say = (key: Key, values: Record<string, string | number> = {}): string => fill((tongue.current === 'en' ? en : zh)[key], values)
  return Object.assign(say, { zh, en })
}

const formatters = new Map<string, Intl.NumberFormat>()

/** A number as the reader's language writes it. */
export function number(value: number, options: Intl.NumberFormatOptions = {}): string {
  const key = tongue.locale + JSON.stringify(options)
  let formatter = formatters.get(key)
  if (!formatter) formatters.set(key, (formatter = new Intl.NumberFormat(tongue.locale, options)))
  return formatter.format(value)
}

/** 1.2k, 3.4M: for places where a number must be short. */
export function shortNumber(value: number): string {
  return number(value, { notation: 'compact', maximumSignificantDigits: 3 })
}

/** Bytes in the units that people read. */
export function bytes(value: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return number(value, { style: 'unit', unit: units[unit]!, unitDisplay: 'short', maximumSignificantDigits: 3 })
}

/** A duration of seconds: 0.35s, 12s, 4m 10s, 3h 5m, 2d 4h. */
export function duration(seconds: number): string {
  const unit = (value: number, name: 'second' | 'minute' | 'hour' | 'day', digits = 0): string =>
    number(value, { style: 'unit', unit: name, unitDisplay: 'narrow', maximumFractionDigits: digits })
  const s = Math.max(0, seconds)
  if (s < 10) return unit(s, 'second', s < 1 ? 2 : 1)
  if (s < 60) return unit(Math.round(s), 'second')
  const two = (one: string, rest: number, name: 'second' | 'minute' | 'hour'): string => (rest > 0 ? `${one} ${unit(rest, name)}` : one)
  if (s < 3600) return two(unit(Math.floor(s / 60), 'minute'), Math.floor(s % 60), 'second')
  if (s < 86_400) return two(unit(Math.floor(s / 3600), 'hour'), Math.floor((s % 3600) / 60), 'minute')
  return two(unit(Math.floor(s / 86_400), 'day'), Math.floor((s % 86_400) / 3600), 'hour')
}
