// What the console's urls under /api/audit answer; docs/console.md has them.

export interface Skew {
  records: number
  mostMs: number
  first: number
}

export interface PartitionStatus {
  partition: string
  records: number
  size: number
  sealed?: string
  waiting: number
  wrong: boolean
  clockBack: Skew
  clockAhead: Skew
  clockBehind: Skew
}

export interface WitnessStatus {
  url: string
  acks: Record<string, { size: number; when: string }>
  lag: number
  error?: string
}

export interface Verified {
  running: boolean
  done: number
  total: number
  began?: string
  ended?: string
  by?: string
  holds: boolean
  problems?: string[]
  error?: string
}

export interface Status {
  logId: string
  signing: boolean
  key?: string
  partitions: PartitionStatus[]
  witnesses: WitnessStatus[]
  wrong: { partition: string; problem: string; found: string }[]
  error?: string
  verified: Verified
}

export interface Checkpoint {
  partition: string
  size: number
  root: string
  checkpoint: string
}

export interface Proof {
  position: string
  size: number
  origin: string
  proof: string
}

export interface Step {
  position: string
  type: string
  by: string
  recorded: string
}

export interface LogEvent {
  position: string
  stream?: string
  type?: string
  actor?: string
  actorName?: string
  said?: string
  recorded?: string
  payload?: unknown
}

export interface Viewer {
  user: string
  name?: string
  role?: string
  sender?: boolean
  since: Step
  until?: Step
  read?: boolean
  mark?: string
}

export interface Viewers {
  event: LogEvent
  nobody?: string
  total: number
  skipped: number
  viewers: Viewer[]
}

export interface Conversation {
  stream: string
  memberships: { since: Step; until?: Step }[]
  messages: number
  recalled: number
  edits: number
  recalls: number
  first?: string
  last?: string
}

export interface SeenLine {
  progress?: { done: number; total: number }
  conversation?: Conversation
  end?: { conversations: number }
}

export interface Events {
  events: LogEvent[]
  next?: string
}

export interface Job {
  id: string
  request: { query: Record<string, unknown>; askedBy: string; reason: string }
  asked: string
  ended?: string
  state: 'waiting' | 'running' | 'done' | 'failed'
  problem?: string
  phase?: string
  count: number
  total: number
  events?: Record<string, number>
  bytes: number
}

export interface Look {
  position: string
  time: string
  actor: string
  actorName?: string
  role: string
  reason?: string
  way: string
  what: string
  text?: string
  from?: string
}

export interface Looks {
  looks: Look[]
  next?: string
}

export const positionPattern = '[acsu][0-9]+-[0-9]+'
