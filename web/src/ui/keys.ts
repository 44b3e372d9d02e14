/**
 * Whether a key press sends what was written: Enter alone. Never while an input
 * method composes, where Enter takes the candidate; Safari ends the composition
 * before it tells of the key and shows that by the key code 229 alone.
 */
export function sendsOn(event: Pick<KeyboardEvent, 'key' | 'shiftKey' | 'ctrlKey' | 'altKey' | 'metaKey' | 'isComposing' | 'keyCode'>): boolean {
  if (event.isComposing || event.keyCode === 229) return false
  return event.key === 'Enter' && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey
}
