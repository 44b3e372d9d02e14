import { Cursor } from './position.ts'
import type { Kept, KeptCommand, Store } from './store.ts'

/** Keeps in memory: over a stop and a new client of the same process, not over a reload. */
export class MemoryStore implements Store {
  private readonly users = new Map<string, { cursor: Cursor; commands: Map<string, KeptCommand> }>()

  load(user: string): Kept {
    const { cursor, commands } = this.of(user)
    return { cursor: cursor.toString(), commands: [...commands.values()].map((command) => structuredClone(command)) }
  }

  put(user: string, command: KeptCommand): void {
    this.of(user).commands.set(command.uniqueNo, structuredClone(command))
  }

  remove(user: string, uniqueNo: string): void {
    this.of(user).commands.delete(uniqueNo)
  }

  saveCursor(user: string, cursor: string, anew: boolean): void {
    const kept = this.of(user)
    if (anew) kept.cursor = new Cursor()
    kept.cursor.merge(cursor)
  }

  private of(user: string) {
    let kept = this.users.get(user)
    if (!kept) this.users.set(user, (kept = { cursor: new Cursor(), commands: new Map() }))
    return kept
  }
}
