import type { Environment } from './environment.ts'
import type { KeptCommand, Store } from './store.ts'

/**
 * Says who looks after the commands in a store that several tabs share. Every
 * client holds a lock of its own while it lives; whose lock is free is gone, and
 * another one takes its commands over. Where there are no locks everybody sends
 * everything: a command may go out twice then, and is done once all the same,
 * since its uniqueNo is one.
 */
export class Owner {
  readonly id: string
  private readonly over = new AbortController()
  private readonly watched = new Set<string>()

  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
    private readonly user: string,
    private readonly found: (commands: KeptCommand[]) => void,
    private readonly failed: (error: unknown) => void,
  ) {
    this.id = environment.newId()
    this.request(this.id, () => new Promise((resolve) => this.over.signal.addEventListener('abort', () => resolve())))
  }

  /** Gives the commands that nobody else looks after, and goes on to take over those of tabs that end. */
  adopt(commands: readonly KeptCommand[]): KeptCommand[] | Promise<KeptCommand[]> {
    if (!this.environment.locks) return [...commands]
    const owners = [...new Set(commands.map((command) => command.owner))].filter((owner) => owner !== this.id && !this.watched.has(owner))
    return Promise.all(owners.map((owner) => this.takeOver(owner))).then((taken) => taken.flat().sort((a, b) => a.at - b.at))
  }

  /** From now on others take over. */
  stop(): void {
    this.over.abort()
  }

  private request(owner: string, action: () => Promise<void>): void {
    const { signal } = this.over
    this.environment.locks?.request(this.lock(owner), { signal }, action).catch((error: unknown) => {
      if (!signal.aborted) this.failed(error)
    })
  }

  private lock(owner: string): string {
    return `lishi/${this.user}/${owner}`
  }

  private async takeOver(owner: string): Promise<KeptCommand[]> {
    this.watched.add(owner)
    let taken: KeptCommand[] | undefined
    await this.environment.locks!.request(this.lock(owner), { ifAvailable: true }, async (lock) => {
      if (lock) taken = await this.take(owner)
    })
    if (taken) return taken
    this.request(owner, async () => this.found(await this.take(owner)))
    return []
  }

  private async take(owner: string): Promise<KeptCommand[]> {
    const { commands } = await this.store.load(this.user)
    const theirs = commands.filter((command) => command.owner === owner).map((command) => ({ ...command, owner: this.id }))
    for (const command of theirs) await this.store.put(this.user, command)
    this.watched.delete(owner)
    return theirs
  }
}
