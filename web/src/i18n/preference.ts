// What the languages of every page of lishi have in common.
export type Language = 'zh-CN' | 'en'

const storageKey = 'lishi.language'

/** The language chosen before, or else the browser's. */
export function preferredLanguage(stored: string | null, browser: string): Language {
  if (stored === 'zh-CN' || stored === 'en') return stored
  return browser.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

export function chosenLanguage(): Language {
  return preferredLanguage(localStorage.getItem(storageKey), navigator.language)
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(storageKey, language)
}

/** The language with the reader's own country, where the browser tells it: for dates. */
export function localeOf(language: Language): string {
  return navigator.language.startsWith(language.slice(0, 2)) ? navigator.language : language
}

/** A text with its {placeholders} filled in. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}
