// What the client needs of the world around it. Everything that differs from
// run to run (sockets, time, chance) comes from here, so the client itself is
// repeatable in tests.
/** This browser's or Node's sockets, clock and chance. It throws a TypeError where the url is none, or there is no WebSocket. */
export function localEnvironment(url, given) {
    const address = socketUrl(url);
    const WebSocketHere = given ?? globalThis.WebSocket;
    if (!WebSocketHere)
        throw new TypeError('there is no WebSocket here: before Node 22 give the one of the package ws as the option WebSocket');
    return {
        open() {
            const inner = new WebSocketHere(address);
            const socket = {
                send: (text) => inner.send(text),
                close: () => inner.close(),
                onOpen: () => { },
                onText: () => { },
                onClose: () => { },
            };
            inner.onopen = () => socket.onOpen();
            inner.onmessage = (event) => {
                if (typeof event.data === 'string')
                    socket.onText(event.data);
            };
            inner.onclose = (event) => socket.onClose(event.code);
            inner.onerror = () => { }; // a close follows; the package ws throws where nobody listens
            return socket;
        },
        now: () => performance.now(),
        date: () => Date.now(),
        later(ms, callback) {
            const timer = setTimeout(callback, Math.min(ms, 0x7fffffff));
            return () => clearTimeout(timer);
        },
        random: () => Math.random(),
        newId,
        onWake,
        locks: globalThis.navigator?.locks,
    };
}
function socketUrl(text) {
    const url = new URL(text, globalThis.location?.href);
    if (url.protocol === 'http:')
        url.protocol = 'ws:';
    if (url.protocol === 'https:')
        url.protocol = 'wss:';
    if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
        throw new TypeError(`${text} is no url of a WebSocket: it begins with ws: or wss:`);
    url.hash = '';
    return url.href;
}
// crypto.randomUUID exists only on https and localhost; a page served in the
// local network needs ids as well.
function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
function onWake(callback) {
    if (typeof window === 'undefined' || typeof document === 'undefined')
        return () => { };
    const seen = () => {
        if (document.visibilityState === 'visible')
            callback(); // timers sleep in a hidden page
    };
    window.addEventListener('online', callback);
    document.addEventListener('visibilitychange', seen);
    return () => {
        window.removeEventListener('online', callback);
        document.removeEventListener('visibilitychange', seen);
    };
}
