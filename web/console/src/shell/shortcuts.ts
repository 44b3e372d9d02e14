// One key alone, or g and a second one soon after; never where somebody writes.

const together = 1500 // milliseconds between g and its second key

export function writes(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable], .cm-editor') !== null
}

export class Shortcuts {
  private leader = -Infinity

  constructor(
    private readonly open: (key: string) => boolean,
    private readonly single: Record<string, () => void>,
  ) {}

  /** Handles a key press; true if it was one of ours. */
  press(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'isComposing' | 'target' | 'timeStamp'>): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || writes(event.target)) return false
    const led = event.timeStamp - this.leader < together
    this.leader = -Infinity
    if (led && this.open(event.key)) return true
    if (event.key === 'g') {
      this.leader = event.timeStamp
      return true
    }
    const action = this.single[event.key]
    action?.()
    return action !== undefined
  }
}
