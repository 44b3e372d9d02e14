/** The answer of /api/overview. */
export interface Overview {
  node: string
  version: string
  log: string
  time: string
  started: string
  problems: Problem[]
  checks: { name: string; ready: boolean; detail?: string }[]
  now: Rates & { people: number }
  history: Rates[]
  partitions: { partition: string; end: number | null; folded: number; behind: number }[]
  projections: Projection[]
  resources: { descriptors: number; descriptorLimit: number; memory: number; cpus: number; diskFree: number; diskSize: number }
}

export interface Problem {
  bad: boolean
  what: string
  subject: string
  value: number
  detail: string
}

export interface Rates {
  at: string
  connections: number
  requests: number
  failed: number
  events: number
  pushes: number
  median: number | null
  p99: number | null
}

export interface Projection {
  name: string
  build: number
  events: number
  seconds: number
  problem?: string
  partitions: { partition: string; events: number; seconds: number }[]
}

/** The partition in which a projection is furthest behind; none where it is up to date. */
export function worst(projection: Projection): string {
  const [first] = [...projection.partitions].filter(({ events }) => events > 0).sort((a, b) => b.seconds - a.seconds || b.events - a.events)
  return first?.partition ?? ''
}
