import { zh, type Dictionary, type Key } from './zh'

export type Language = 'zh-CN' | 'en'

const storageKey = 'lishi.language'

/** The language chosen before, or else the browser's. */
export function preferredLanguage(stored: string | null, browser: string): Language {
  if (stored === 'zh-CN' || stored === 'en') return stored
  return browser.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

class Tongue {
  current = $state<Language>('zh-CN')
  private texts = $state.raw<Dictionary>(zh)

  /** Speaks the preferred language; the page waits for it. */
  begin(): Promise<void> {
    return this.speak(preferredLanguage(localStorage.getItem(storageKey), navigator.language))
  }

  /** The language with the reader's own country, where the browser tells it: for dates. */
  get locale(): string {
    return navigator.language.startsWith(this.current.slice(0, 2)) ? navigator.language : this.current
  }

  // Chinese is in the page, where its keys are; English is fetched by those who read it.
  private async speak(language: Language): Promise<void> {
    this.texts = language === 'en' ? (await import('./en')).en : zh
    this.current = language
  }

  async choose(language: Language): Promise<void> {
    await this.speak(language)
    localStorage.setItem(storageKey, language)
  }

  text(key: Key): string {
    // A reason that a later server has and this page has not is shown as its word.
    return this.texts[key] ?? key
  }
}

export const tongue = new Tongue()

/** The text of a key in the current language, with {placeholders} filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(tongue.text(key), values)
}

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}
