// What this browser's reader has asked before. It is kept here alone.
import { session } from '../../shell/session.svelte'

export interface Asked {
  sql: string
  at: number // milliseconds
  rows: number | null // null: it failed or was cancelled
  ms: number
}

const most = 100
const key = (): string => `lishi.console.sql.${session.me?.userId ?? ''}`

export function read(text: string | null): Asked[] {
  try {
    const found = JSON.parse(text ?? '[]') as unknown
    return Array.isArray(found) ? found.filter((one): one is Asked => typeof (one as Asked)?.sql === 'string' && typeof (one as Asked).at === 'number') : []
  } catch {
    return []
  }
}

class History {
  all = $state.raw<Asked[]>(read(localStorage.getItem(key())))

  /** Puts a statement on top; one that was asked before moves there. */
  add(asked: Asked): void {
    this.keep([asked, ...this.all.filter(({ sql }) => sql !== asked.sql)].slice(0, most))
  }

  clear(): void {
    this.keep([])
  }

  private keep(all: Asked[]): void {
    this.all = all
    try {
      localStorage.setItem(key(), JSON.stringify(all))
    } catch {
      // the browser keeps no more; the page does
    }
  }
}

export const openHistory = (): History => new History()
