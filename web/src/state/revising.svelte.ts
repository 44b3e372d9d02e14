import { keepsIdentity, RequestError, type Client, type Reason } from '@lishi/client'
import type { Message, Revision } from '../protocol/timeline'

/** Edits and recalls of one conversation's messages, as this window makes them. */
export class Revising {
  /** The own message that is being written anew, with its new text. */
  message = $state.raw<Message | undefined>()
  text = $state('')
  failure = $state<Reason | undefined>()
  saving = $state(false)
  private readonly changes = new Map<number, { what: string; uniqueNo: string }>() // not answered for good, by offset

  constructor(
    private readonly client: Client,
    private readonly me: string,
    private readonly done: (revision: Revision) => void,
  ) {}

  begin(message: Message): void {
    this.message = message
    this.text = message.text
    this.failure = undefined
  }

  cancel(): void {
    this.message = undefined
    this.failure = undefined
  }

  /** A message was revised, by whomever: what was recalled is not edited any more. */
  heard(revision: Revision): void {
    if (revision.change === 'recalled' && this.message?.offset === revision.offset) this.cancel()
  }

  /** Gives the message being edited its new text. It stays in hand until that is in the log. */
  async save(): Promise<void> {
    const { message } = this
    if (!message || this.saving) return
    this.saving = true
    this.failure = undefined
    const { offset, sender } = message
    let failure: Reason | undefined
    try {
      await this.change(message, { change: 'edited', offset, sender, text: this.text })
    } catch (error) {
      failure = error instanceof RequestError ? error.reason : 'unknown'
    }
    this.saving = false
    if (this.message !== message) return
    if (failure === undefined) this.cancel()
    else this.failure = failure
  }

  /** Takes a message back. Rejects with a RequestError. */
  async recall(message: Message): Promise<void> {
    const { offset, sender } = message
    await this.change(message, { change: 'recalled', offset, sender })
  }

  // The same change tried again after a failure is the same request, so it is never made twice.
  private async change({ position, offset }: Message, revision: Revision): Promise<void> {
    const what = JSON.stringify(revision)
    const before = this.changes.get(offset)
    const repeated = before?.what === what
    const uniqueNo = repeated ? before.uniqueNo : this.client.newId()
    this.changes.set(offset, { what, uniqueNo })
    let time: number | undefined
    try {
      const options = { uniqueNo, repeated }
      const done = revision.change === 'edited' ? this.client.command('/chat/editMessage', { position, messageContent: revision.text }, options) : this.client.command('/chat/recallMessage', { position }, options)
      time = (await done).time
    } catch (error) {
      if (!(error instanceof RequestError) || !keepsIdentity(error.reason)) this.changes.delete(offset)
      throw error
    }
    this.changes.delete(offset)
    this.done({ ...revision, by: this.me, ...(time !== undefined && { time }) })
  }
}
