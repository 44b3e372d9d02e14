import type { LoginData } from '@lishi/client'

/** What the server told at login of itself: its clock, and what its settings allow. */
export class ServerSide {
  /** Milliseconds in which a sender can recall; 0: never, or not told. */
  recallWindow = $state(0)
  private ahead = 0 // of this machine's clock

  told({ time, recallWindowMs }: LoginData): void {
    if (time !== undefined) this.ahead = time - Date.now()
    if (recallWindowMs !== undefined) this.recallWindow = recallWindowMs
  }

  /** Unix milliseconds by the server's clock, which is the one that judges. */
  now(): number {
    return Date.now() + this.ahead
  }
}
