/** A value now, or a promise of it. */
export type Promised<T> = T | PromiseLike<T>

/**
 * Goes on with a value: at once where it is there, else when it comes. So a
 * store that answers at once costs no turn of the event loop, and keeps its order.
 */
export function whenThere<T>(value: Promised<T>, next: (value: T) => void, failed: (error: unknown) => void): void {
  if (isPromise(value)) (value as PromiseLike<T>).then(next, failed)
  else next(value as T)
}

/** The same for something that may also throw. */
export function attempt<T>(action: () => Promised<T>, next: (value: T) => void, failed: (error: unknown) => void): void {
  let value: Promised<T>
  try {
    value = action()
  } catch (error) {
    return failed(error)
  }
  whenThere(value, next, failed)
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
