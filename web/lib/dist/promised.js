/**
 * Goes on with a value: at once where it is there, else when it comes. So a
 * store that answers at once costs no turn of the event loop, and keeps its order.
 */
export function whenThere(value, next, failed) {
    if (isPromise(value))
        value.then(next, failed);
    else
        next(value);
}
/** The same for something that may also throw. */
export function attempt(action, next, failed) {
    let value;
    try {
        value = action();
    }
    catch (error) {
        return failed(error);
    }
    whenThere(value, next, failed);
}
export function isPromise(value) {
    return typeof value?.then === 'function';
}
