/**
 * Tells what a received text is. A frame of a kind that this client does not
 * know is 'other' and may be ignored: the protocol grows by new kinds only.
 */
export function parseFrame(text) {
    let value;
    try {
        value = JSON.parse(text);
    }
    catch {
        return { kind: 'other' };
    }
    if (!isObject(value))
        return { kind: 'other' };
    const { msgType, data, code, obj } = value;
    if (typeof msgType === 'string' && isObject(data))
        return { kind: 'push', push: value };
    if (typeof code === 'number' && isObject(obj))
        return { kind: 'result', result: value };
    return { kind: 'other' };
}
function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
