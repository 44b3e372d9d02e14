import { expect, test } from 'vitest'
import { Client } from '../src/client.ts'
import { MemoryStore } from '../src/memory_store.ts'
import type { Kept, KeptCommand, Store } from '../src/store.ts'
import { World } from '../src/testing/world.ts'
import { chances, Model } from './model.ts'

// Random lives of one person: they write to two people, others write to them;
// connections break at any point, the server refuses and forgets to answer,
// pushes are taken slowly or not at all, and the program dies and starts
// again. Whatever happens, each word is said once and in order, each promise
// settles, and no push is missed.

/** A store that answers by promises, as IndexedDB does. */
class SlowStore implements Store {
  private readonly inner = new MemoryStore()
  load = async (user: string): Promise<Kept> => this.inner.load(user)
  put = async (user: string, command: KeptCommand): Promise<void> => this.inner.put(user, command)
  remove = async (user: string, uniqueNo: string): Promise<void> => this.inner.remove(user, uniqueNo)
  saveCursor = async (user: string, cursor: string, anew: boolean): Promise<void> => this.inner.saveCursor(user, cursor, anew)
}

interface Said {
  to: string
  text: string
  uniqueNo: string
  settled: number // times
  refused: boolean
}

class Life {
  readonly chance: () => number
  readonly world = new World()
  readonly model = new Model()
  readonly store: Store
  readonly said = new Map<string, Said>()
  readonly told = new Set<string>() // positions that the application knows: its own database, which survives
  readonly twice: string[] = [] // taken twice by one client
  client!: Client
  calm = false

  constructor(seed: number) {
    this.chance = chances(seed)
    this.store = this.chance() < 0.5 ? new MemoryStore() : new SlowStore()
    this.model.hear('before')
    this.model.append('ann', 'person eve', 'before', 'before', undefined)
    this.begin()
  }

  /** Logs in for the first time, since what was said before is nobody's push. */
  async logIn(): Promise<void> {
    await turn()
    const { wire } = this.world
    this.opened.add(wire)
    wire.onOpen()
    this.model.read(wire, undefined)
    this.model.deliver(wire)
    await turn()
  }

  begin(): void {
    const client = new Client({ token: 'token', environment: this.world, store: this.store, pushLimit: 3 })
    this.client = client
    const mine = () => this.client === client // a dead program does nothing
    const taken = new Set<string>()
    const never = new Promise<void>(() => {})
    client.on('push', (push) => {
      const take = () => {
        if (!mine()) return never
        if (taken.has(push.data.position)) this.twice.push(push.data.position)
        taken.add(push.data.position)
        this.told.add(push.data.position)
        return undefined
      }
      const way = this.calm ? 0 : this.chance()
      if (way > 0.97) throw new Error('the application failed')
      if (way < 0.6) return take()
      return turns(way > 0.75 ? 6 : 0).then(() => {
        if (way > 0.94) throw new Error('the application failed')
        return take()
      })
    })
    client.on('problem', () => {})
    client.on('settled', (settled) => {
      if (!mine()) return
      this.settle(settled.uniqueNo, 'error' in settled ? settled.error : undefined)
      if ('result' in settled) this.told.add(settled.result.position!)
    })
    client.start()
  }

  settle(uniqueNo: string, error: unknown): void {
    const said = this.said.get(uniqueNo)!
    said.settled++
    if (error !== undefined) said.refused = true
  }

  say(): void {
    const to = this.chance() < 0.5 ? 'bob' : 'eve'
    const text = `${to} ${this.said.size}`
    const uniqueNo = `n${this.said.size}`
    this.said.set(uniqueNo, { to, text, uniqueNo, settled: 0, refused: false })
    const { client } = this
    client.command('/chat/sendMessage', { receiveUserId: to, messageContent: text }, { uniqueNo }).then(
      (result) => {
        if (this.client !== client) return
        this.told.add(result.position)
        this.settle(uniqueNo, undefined)
      },
      (error: unknown) => {
        if (this.client === client) this.settle(uniqueNo, error)
      },
    )
  }

  async step(): Promise<void> {
    const { world, model } = this
    const dice = this.chance()
    if (!this.calm) {
      if (dice < 0.03) return this.die()
      if (dice < 0.08 && !world.wire.closed) return model.drop(world.wire, 1006)
      if (dice < 0.18) return this.say()
      if (dice < 0.26) return model.hear(`word ${model.log.length}`)
    }
    const wire = world.wires.at(-1)
    if (dice < 0.35 || !wire || wire.closed) world.pass(200)
    else if (!this.opened.has(wire)) this.opened.add(wire), wire.onOpen()
    else if (dice < 0.7 && model.waiting(wire).toRead) model.read(wire, this.fault())
    else if (model.waiting(wire).toDeliver) model.deliver(wire)
    else if (model.waiting(wire).toRead) model.read(wire, this.fault())
    if (this.chance() < 0.5) await turn()
  }

  private readonly opened = new Set<unknown>()

  private fault() {
    const dice = this.calm ? 1 : this.chance()
    if (dice < 0.05) return 'rate_limited'
    if (dice < 0.08) return 'unavailable'
    if (dice < 0.11) return 'unknown, happened'
    if (dice < 0.14) return 'unknown, not happened'
    return undefined
  }

  // kill -9: no callback of the old client counts any more. What its store had
  // under way is done, or else it would not be under way.
  private async die(): Promise<void> {
    await turn()
    const { wire } = this.world
    if (!wire.closed) this.model.drop(wire, 1006)
    const dead = this.client
    this.client = undefined as unknown as Client
    dead.stop() // its timers, which a dead process has none of
    this.begin()
    await turn()
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

const { setImmediate } = globalThis as unknown as { setImmediate(callback: () => void): void }
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function live(seed: number, steps: number): Promise<Life> {
  const life = new Life(seed)
  await life.logIn()
  for (let i = 0; i < steps; i++) await life.step()
  life.calm = true
  let still = 0
  for (let i = 0; i < 3000; i++) {
    await life.step()
    const { client, model, world } = life
    const quiet = client.pending.length === 0 && client.phase.name === 'live' && !model.waiting(world.wire).toRead && !model.waiting(world.wire).toDeliver
    if (!quiet) still = 0
    else if (++still > 10) break
    else await turns(8) // what the application is at comes to its end
  }
  return life
}

test.each(Array.from({ length: 12 }, (_, block) => block))('random losses, block %i', { timeout: 60_000 }, async (block) => {
  for (let seed = block * 25; seed < block * 25 + 25; seed++) {
    const life = await live(seed, 160)
    const { model, said, told, client } = life
    const hint = `seed ${seed}`
    expect(client.pending, hint).toEqual([])
    const own = model.log.filter((event) => event.sender === 'ann' && event.text !== 'before')
    // once each
    expect(new Set(own.map((event) => event.uniqueNo)).size, hint).toBe(own.length)
    for (const one of said.values()) {
      const logged = own.some((event) => event.uniqueNo === one.uniqueNo)
      if (!one.refused) expect(logged, `${hint}: ${one.text} is in the log`).toBe(true)
      expect(one.settled, `${hint}: ${one.text} settles`).toBe(1)
    }
    // in order
    for (const to of ['bob', 'eve']) {
      const numbers = own.filter((event) => event.lane === `person ${to}`).map((event) => Number(event.text.split(' ')[1]))
      expect(numbers, hint).toEqual([...numbers].sort((a, b) => a - b))
    }
    // no gap: everything after the first login is known to the application
    const missed = model.log.filter((event) => event.text !== 'before' && !told.has(event.position))
    expect(missed, hint).toEqual([])
    expect(life.twice, hint).toEqual([])
    client.stop()
  }
})
