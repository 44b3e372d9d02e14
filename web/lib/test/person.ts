import { Client, type Options, type Problem, type Push, type Settled, type WebSocketClass } from '../src/index.ts'
import { WebSocket, type Program } from './program.mjs'

export { Program } from './program.mjs'

/** A client of a demo's person, and all that it told. */
export class Person {
  readonly client: Client
  readonly pushes: Push[] = []
  readonly lives: boolean[] = []
  readonly settled: Settled[] = []
  readonly problems: Problem[] = []
  readonly phases: string[] = []

  constructor(program: Program, user: string, options: Partial<Options> = {}) {
    this.client = new Client({ url: `${program.origin}/ws`, token: program.token(user), WebSocket: WebSocket as WebSocketClass, ...options })
    this.client.on('push', (push) => void this.pushes.push(push))
    this.client.on('live', (resumed) => this.lives.push(resumed))
    this.client.on('settled', (settled) => this.settled.push(settled))
    this.client.on('problem', (problem) => this.problems.push(problem))
    this.client.on('phase', (phase) => this.phases.push(phase.name))
  }

  async live(): Promise<this> {
    this.client.start()
    await until(() => this.lives.length > 0, 'the client is live')
    return this
  }

  /** The texts of messages that were pushed. */
  get texts(): string[] {
    return this.pushes.flatMap((push) => (push.msgType === '1' || push.msgType === '2' ? [push.data.messageContent] : []))
  }

  /** All texts of the conversation with somebody, oldest first, page by page. */
  async history(userId: string): Promise<string[]> {
    const texts: string[] = []
    for (let before: string | undefined; ; ) {
      const { list } = await this.client.query('/friend/loadMoreMessage', { userId, limit: 200, ...(before !== undefined && { before }) })
      if (list.length === 0) return texts
      texts.unshift(...list.map((row) => row.talkContent))
      before = list[0]!.position
    }
  }
}

/** Waits until something is so; fails when that takes a minute. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
