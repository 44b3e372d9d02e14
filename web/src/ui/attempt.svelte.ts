import { reasonText } from '../state/chat.svelte'

/** What a dialog tries, and why it did not work. What no server said is thrown on. */
export class Attempt {
  busy = $state(false)
  problem = $state('')

  constructor(private readonly explain: (error: unknown) => string = reasonText) {}

  async run(action: () => Promise<void>): Promise<void> {
    this.busy = true
    this.problem = ''
    try {
      await action()
    } catch (error) {
      this.problem = this.explain(error)
    } finally {
      this.busy = false
    }
  }
}
