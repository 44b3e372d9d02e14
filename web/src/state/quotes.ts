import { SvelteMap } from 'svelte/reactivity'
import { offsetOf } from '@lishi/client'
import { revised, type Message, type Revision } from '../protocol/timeline'

/** Messages that are answered and stand outside the window, by position. */
export class Quotes {
  private readonly known = new SvelteMap<string, Message | 'unseen'>()
  private readonly asked = new Set<string>()

  constructor(private readonly ask: (position: string) => Promise<Message | undefined>) {}

  /** The message there; 'unseen' where this user can't see it, undefined while nobody has answered. */
  find(position: string, rows: readonly Message[]): Message | 'unseen' | undefined {
    const offset = offsetOf(position)
    return rows.find((row) => row.offset === offset) ?? this.known.get(position)
  }

  /** Has it asked for, once, unless it is known. */
  async want(position: string, rows: readonly Message[]): Promise<void> {
    if (this.find(position, rows) !== undefined || this.asked.has(position)) return
    this.asked.add(position)
    try {
      this.known.set(position, (await this.ask(position)) ?? 'unseen')
    } catch {
      // Whoever shows it next asks again.
    } finally {
      this.asked.delete(position)
    }
  }

  revise(revision: Revision): void {
    for (const [position, message] of this.known) {
      if (message !== 'unseen' && message.offset === revision.offset && !message.recalled) this.known.set(position, revised(message, revision))
    }
  }

  /** Some changes may have been missed. */
  forget(): void {
    this.known.clear()
  }
}
