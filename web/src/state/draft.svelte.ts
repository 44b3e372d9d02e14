import type { Message } from '../protocol/timeline'

/** Something to be sent, as it was written. */
export interface Words {
  text: string
  replyTo?: string
  at?: string[]
}

/** What is being written in one conversation. */
export class Draft {
  text = $state('')
  /** The message that it will answer. */
  answers = $state.raw<Message | undefined>()
  private named: { userId: string; nickName: string }[] = []

  /** Somebody was named in the text, as @nickName. */
  name(userId: string, nickName: string): void {
    this.named.push({ userId, nickName })
  }

  /** Takes what is to be sent and leaves an empty draft. Who was named and taken out again is not told. */
  take(): Words {
    const { text, answers } = this
    const at = new Set(this.named.filter(({ nickName }) => text.includes(`@${nickName}`)).map(({ userId }) => userId))
    this.text = ''
    this.answers = undefined
    this.named = []
    return { text, ...(answers && { replyTo: answers.position }), ...(at.size > 0 && { at: [...at].slice(0, mostNamed) }) }
  }
}

const mostNamed = 200 // atUserIds that lishi takes
