/** What /api/projections answers. */
export interface Build {
  build: number
  version: number
  state: 'live' | 'previous' | 'filling' | 'interrupted' | 'named' | 'unused'
  named?: string
  upTo?: string
  events: number
  rows: number
  bytes: number
}

export interface Lag {
  partition: string
  events: number
  seconds: number
}

export interface Model {
  projection: string
  version: number
  problem?: string
  tables: string[]
  builds: Build[]
  lag: Lag[]
}

export interface Progress {
  projection: string
  build: number
  phase: string
  events: number
  total: number
  eventsPerSecond: number
  secondsLeft: number
  partitions: { partition: string; events: number; total: number; lag: number; eventsPerSecond: number; secondsLeft: number }[]
}

interface Digest {
  rows: number
  sum: number
  xor: number
}

export interface VerifiedTable {
  table: string
  live: Digest
  rebuilt: Digest
  first?: { position: string; what: string }
}

export interface Job {
  id: number
  kind: 'replay' | 'verify' | 'rollback'
  projections: string[]
  into?: string
  started: string
  over: boolean
  progress: Progress[]
  end?: {
    error?: string
    interrupted?: boolean
    wrong?: string[]
    verification?: { projections: { projection: string; tables: VerifiedTable[] | null; problem?: string }[] }
  }
}

export interface Answer {
  projections: Model[]
  jobs: Job[]
  defaultThrottle: number
}

export interface Plan {
  projection: string
  events: number
  resumes: number
  bytes: number
  seconds: number
  busy?: string
}

/** How far behind a model's live build is: events of all partitions, seconds of the worst. */
export function behind(model: Model): { events: number; seconds: number } {
  return {
    events: model.lag.reduce((sum, { events }) => sum + events, 0),
    seconds: model.lag.reduce((worst, { seconds }) => Math.max(worst, seconds), 0),
  }
}

/** What is done of a job, from 0 to 1: all its builds are filled in one pass, so the last one counts. */
export function done(job: Job): number | undefined {
  if (job.progress.length === 0) return undefined
  return Math.min(...job.progress.map(({ events, total }) => (total > 0 ? events / total : 1)))
}

/** The one that is furthest behind speaks for all. */
export function slowest(job: Job): Progress | undefined {
  return job.progress.toSorted((a, b) => a.events - b.events)[0]
}
