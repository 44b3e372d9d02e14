import { RequestError, type Reason } from '@lishi/client'

const again = 3_000
const passing = new Set<Reason>(['unavailable', 'unknown', 'rate_limited'])

/**
 * A list that queries give. Asked for again whenever a push made it stale; what
 * comes while it is being asked for makes one more turn, not many. Where the
 * read models are away it goes on trying and shows what it had.
 */
export class QueriedList<Row> {
  rows = $state.raw<readonly Row[]>([])
  loaded = $state(false)
  failure = $state<Reason>()
  private running: Promise<void> | undefined
  private stale = false
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly ask: () => Promise<readonly Row[]>) {}

  /** Resolves when the list shows at least what was true at the call, or could not be had. */
  refresh(): Promise<void> {
    this.stale = true
    this.running ??= this.run()
    return this.running
  }

  stop(): void {
    clearTimeout(this.timer)
    this.stale = false
  }

  private async run(): Promise<void> {
    clearTimeout(this.timer)
    try {
      while (this.stale) {
        this.stale = false
        this.rows = await this.ask()
        this.loaded = true
        this.failure = undefined
      }
    } catch (error) {
      this.failure = error instanceof RequestError ? error.reason : 'unknown'
      if (passing.has(this.failure)) this.timer = setTimeout(() => void this.refresh(), again)
    } finally {
      this.running = undefined
    }
  }
}
