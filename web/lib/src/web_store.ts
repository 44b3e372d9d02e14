import { Cursor } from './position.ts'
import type { Kept, KeptCommand, Store } from './store.ts'

/** The part of localStorage and sessionStorage that is used. */
export interface WebStorage {
  readonly length: number
  key(index: number): string | null
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/**
 * Keeps in localStorage, over reloads, shared by all tabs; or in sessionStorage,
 * over reloads of one tab. Each command has an item of its own, so tabs that
 * write at once don't overwrite one another. Of two that save their cursor in the same
 * moment the lower one may stay: then pushes come again after a reload, and none is missed.
 */
export class WebStore implements Store {
  constructor(
    private readonly storage: WebStorage = localStorage,
    private readonly name = 'lishi',
  ) {}

  load(user: string): Kept {
    const start = this.commandKey(user, '')
    const commands: KeptCommand[] = []
    for (let i = 0; i < this.storage.length; i++) {
      const key = this.storage.key(i)
      if (key?.startsWith(start)) commands.push(...readCommand(this.storage.getItem(key)))
    }
    return { cursor: this.storage.getItem(this.cursorKey(user)) ?? '', commands: commands.sort((a, b) => a.at - b.at) }
  }

  put(user: string, command: KeptCommand): void {
    this.storage.setItem(this.commandKey(user, command.uniqueNo), JSON.stringify(command))
  }

  remove(user: string, uniqueNo: string): void {
    this.storage.removeItem(this.commandKey(user, uniqueNo))
  }

  saveCursor(user: string, cursor: string, anew: boolean): void {
    const key = this.cursorKey(user)
    const known = Cursor.parse(anew ? '' : (this.storage.getItem(key) ?? ''))
    known.merge(cursor)
    this.storage.setItem(key, known.toString())
  }

  private cursorKey(user: string): string {
    return `${this.name}/${encodeURIComponent(user)}/cursor`
  }

  private commandKey(user: string, uniqueNo: string): string {
    return `${this.name}/${encodeURIComponent(user)}/command/${uniqueNo}`
  }
}

// An item that is none of ours, or was cut short, is as good as none.
function readCommand(text: string | null): KeptCommand[] {
  try {
    const command = JSON.parse(text ?? 'null') as Partial<KeptCommand> | null
    const whole = typeof command?.uniqueNo === 'string' && typeof command.url === 'string' && typeof command.params === 'object' && typeof command.at === 'number'
    return whole ? [command as KeptCommand] : []
  } catch {
    return []
  }
}
