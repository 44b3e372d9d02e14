import { Client, type Options, type Problem, type Settled } from '../src/client.ts'
import type { Phase } from '../src/connection.ts'
import type { Push } from '../src/pushes.ts'
import { World } from '../src/testing/world.ts'

/** A token of a user, which nobody signed. */
export function tokenOf(user: string, exp?: number): string {
  return `h.${btoa(JSON.stringify({ sub: user, exp }))}.s`
}

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

export const hello = { receiveUserId: 'bob', messageContent: '在' }

export const message = (position: string) => ({ sendUserId: 'bob', receiveUserId: 'ann', messageContent: '你好', receiveDate: '', messageId: `m-${position}`, position })

/** A client in a scripted world, and all that it told. */
export class Window {
  readonly world: World
  readonly client: Client
  readonly phases: Phase[] = []
  readonly pushes: Push[] = []
  readonly lives: boolean[] = []
  readonly settled: Settled[] = []
  readonly problems: Problem[] = []

  constructor(options: Partial<Options> = {}, world = new World()) {
    this.world = world
    this.client = new Client({ token: tokenOf('ann'), environment: world, ...options })
    this.client.on('phase', (phase) => this.phases.push(phase))
    this.client.on('push', (push) => void this.pushes.push(push))
    this.client.on('live', (resumed) => this.lives.push(resumed))
    this.client.on('settled', (settled) => this.settled.push(settled))
    this.client.on('problem', (problem) => this.problems.push(problem))
  }

  /** Starts, and lets the server welcome it. */
  async live(cursor = 'c0-10,u0-2'): Promise<this> {
    this.client.start()
    await turn()
    this.welcome(cursor)
    return this
  }

  welcome(cursor = 'c0-10,u0-2'): void {
    const { wire } = this.world
    wire.onOpen()
    wire.welcome(cursor)
    if (wire.requests('/chat/login').at(-1)!.cursor !== undefined) wire.push('15', { cursor, complete: true })
  }

  /** Loses the connection and comes back. */
  async lose(code = 1006): Promise<void> {
    this.world.wire.onClose(code)
    this.world.pass(60_000)
    await turn()
    this.welcome()
  }

  sent(url: string): Record<string, unknown>[] {
    return this.world.wire.requests(url)
  }

  get positions(): string[] {
    return this.pushes.map((push) => push.data.position)
  }
}
