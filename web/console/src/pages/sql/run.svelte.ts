// One statement on its way: its rows as they come, how far it is, how it ended.
import { api, Refused } from '../../shell/api'
import type { Limits } from './schema'

export type Value = string | number | boolean | null | unknown[] | Record<string, unknown>

interface Line {
  queryId?: string
  columns?: { name: string; type: string }[]
  limits?: Limits
  row?: Value[]
  progress?: Progress
  end?: End
}

export interface Progress {
  rows: number
  readRows: number
  readBytes: number
  /** As far as it is known; it may grow. 0: not at all. */
  totalRows: number
  elapsedMs: number
}

export interface End {
  rows: number
  truncated: boolean
  readRows?: number
  elapsedMs: number
}

export class Run {
  columns = $state.raw<{ name: string; type: string }[]>([])
  rows = $state.raw<Value[][]>([])
  limits = $state.raw<Limits | undefined>()
  progress = $state.raw<Progress | undefined>()
  end = $state.raw<End | undefined>()
  problem = $state.raw<unknown>()
  busy = $state(false)
  cancelled = $state(false)
  /** The statement whose result this is. */
  sql = $state('')
  params: Record<string, string> = {}
  private controller: AbortController | undefined
  private queryId = ''

  async start(sql: string, params: Record<string, string>, limit: number): Promise<void> {
    await this.cancel()
    const controller = (this.controller = new AbortController())
    this.queryId = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    Object.assign(this, { sql, params, columns: [], rows: [], progress: undefined, end: undefined, problem: undefined, cancelled: false, busy: true })
    const rows: Value[][] = []
    let shown = 0
    try {
      const asked = { body: { sql, params, queryId: this.queryId, limit }, signal: controller.signal }
      await api.lines<Line>('/api/sql/run', asked, (line) => {
        if (this.controller !== controller) return
        if (line.columns) this.columns = line.columns
        if (line.limits) this.limits = line.limits
        if (line.progress) this.progress = line.progress
        if (line.end) this.end = line.end
        if (line.row) {
          rows.push(line.row)
          const now = performance.now()
          if (now - shown > 200) {
            shown = now
            this.rows = rows.slice()
          }
        }
      })
      if (this.controller === controller && !this.end) this.problem = new Refused('offline', '')
    } catch (error) {
      if (this.controller === controller && !controller.signal.aborted) this.problem = error
    } finally {
      if (this.controller === controller) {
        this.rows = rows
        this.busy = false
      }
    }
  }

  /** Ends what is under way; what came of it stays. */
  async cancel(): Promise<void> {
    if (!this.busy) return
    this.cancelled = true
    this.controller?.abort()
    // Hanging up ends it too; this one says so at once.
    await api.post('/api/sql/cancel', { queryId: this.queryId }).catch(() => {})
  }
}
