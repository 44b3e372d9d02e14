import { address } from './address.svelte'
import { exact, knownZone, moment } from './times'

/** The time range of the pages that have one, and the zone in which all write times. Both stand in the address. */
class Range {
  readonly defaults = { from: '-24h', to: 'now' }

  get from(): string {
    return moment(address.get('from'), 0) === undefined ? this.defaults.from : address.get('from')
  }

  get to(): string {
    return moment(address.get('to'), 0) === undefined ? this.defaults.to : address.get('to')
  }

  get zone(): string {
    const asked = address.get('zone')
    return knownZone(asked) ? asked : Intl.DateTimeFormat().resolvedOptions().timeZone
  }

  /** The two moments, in milliseconds, as of now. */
  resolve(now = Date.now()): { from: number; to: number } {
    const [from, to] = [moment(this.from, now)!, moment(this.to, now)!]
    return { from: Math.min(from, to), to: Math.max(from, to) }
  }

  /** The same for the server. */
  params(now = Date.now()): { from: string; to: string; zone: string } {
    const { from, to } = this.resolve(now)
    return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), zone: this.zone }
  }

  choose(from: string, to: string): void {
    address.set({ from, to })
  }

  inZone(zone: string): void {
    address.set({ zone: zone === Intl.DateTimeFormat().resolvedOptions().timeZone ? '' : zone }, true)
  }

  /** A time as all pages write it: 2026-11-23 21:05:09 in the chosen zone. */
  write(time: number | string, milliseconds = false): string {
    return exact(time, this.zone, milliseconds)
  }
}

export const range = new Range()
