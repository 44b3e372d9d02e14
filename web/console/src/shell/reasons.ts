import { say } from './texts'

type Key = keyof (typeof say)['zh']

/** What a refusal's reason word means. A word that this page does not know is shown as it is. */
export function reasonText(reason: string): string {
  const key = `reason_${reason}`
  return key in say.zh ? say(key as Key) : reason
}
