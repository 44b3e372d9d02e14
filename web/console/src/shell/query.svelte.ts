import { onDestroy } from 'svelte'

/**
 * What a page asked for: the newest question counts, answers to older ones are
 * dropped, and what was there stays until the new is there. Made while a
 * component is, and given up with it.
 */
export class Query<T> {
  data = $state.raw<T | undefined>()
  problem = $state.raw<unknown>()
  busy = $state(false)
  private current: AbortController | undefined

  constructor() {
    onDestroy(() => this.current?.abort())
  }

  async ask(question: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.current?.abort()
    const mine = (this.current = new AbortController())
    this.busy = true
    try {
      const data = await question(mine.signal)
      if (mine.signal.aborted) return
      this.data = data
      this.problem = undefined
    } catch (error) {
      if (!mine.signal.aborted) this.problem = error
    } finally {
      if (this.current === mine) this.busy = false
    }
  }

  clear(): void {
    this.current?.abort()
    this.data = this.problem = undefined
    this.busy = false
  }
}

/** Does something now and every so often while the page is looked at; for $effect. */
export function every(ms: number, action: () => void): () => void {
  action()
  const timer = setInterval(() => document.visibilityState === 'visible' && action(), ms)
  const back = (): void => void (document.visibilityState === 'visible' && action())
  document.addEventListener('visibilitychange', back)
  return () => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', back)
  }
}
