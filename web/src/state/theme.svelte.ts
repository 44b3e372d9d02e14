export type Theme = 'auto' | 'light' | 'dark'

const storageKey = 'lishi.theme'

class Appearance {
  current = $state<Theme>(stored())

  constructor() {
    this.paint()
  }

  choose(theme: Theme): void {
    this.current = theme
    localStorage.setItem(storageKey, theme)
    this.paint()
  }

  private paint(): void {
    if (this.current === 'auto') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.current
  }
}

function stored(): Theme {
  const value = localStorage.getItem(storageKey)
  return value === 'light' || value === 'dark' ? value : 'auto'
}

export const appearance = new Appearance()
