/** Whether somebody looks at this window: only then is something read. */
class Attention {
  here = $state(look())

  constructor() {
    const update = () => (this.here = look())
    window.addEventListener('focus', update)
    window.addEventListener('blur', update)
    document.addEventListener('visibilitychange', update)
  }
}

function look(): boolean {
  return document.visibilityState === 'visible' && document.hasFocus()
}

export const attention = new Attention()
