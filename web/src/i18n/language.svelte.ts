import { chosenLanguage, fill, keepLanguage, localeOf, type Language } from './preference'
import { zh, type Dictionary, type Key } from './zh'

export { fill, preferredLanguage, type Language } from './preference'

class Tongue {
  current = $state<Language>('zh-CN')
  private texts = $state.raw<Dictionary>(zh)

  /** Speaks the preferred language; the page waits for it. */
  begin(): Promise<void> {
    return this.speak(chosenLanguage())
  }

  /** The language with the reader's own country, where the browser tells it: for dates. */
  get locale(): string {
    return localeOf(this.current)
  }

  // Chinese is in the page, where its keys are; English is fetched by those who read it.
  private async speak(language: Language): Promise<void> {
    this.texts = language === 'en' ? (await import('./en')).en : zh
    this.current = language
  }

  async choose(language: Language): Promise<void> {
    await this.speak(language)
    keepLanguage(language)
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
