/** Every close code that lishi, a browser or a proxy gives, and what follows. Another one means: resume. */
export const closings = {
    1000: { meaning: 'closed in order', then: 'resume' },
    1001: { meaning: 'the server is going away', then: 'resume' },
    1002: { meaning: 'a malformed or unknown frame', then: 'resume' },
    1003: { meaning: 'a binary message', then: 'resume' },
    1005: { meaning: 'closed without a code', then: 'resume' },
    1006: { meaning: 'the connection broke, or could not be made', then: 'resume' },
    1007: { meaning: 'text that is not UTF-8', then: 'resume' },
    1008: { meaning: 'silent for two pings', then: 'resume' },
    1009: { meaning: 'a message longer than the server takes', then: 'shed' },
    1011: { meaning: 'the server failed, or a backlog could not be read', then: 'resume' },
    4001: { meaning: 'the token expired', then: 'renew' },
    4003: { meaning: 'ten failed logins, or neither login nor a valid request within 30 s', then: 'resume' },
    4008: { meaning: 'too slow a reader', then: 'resume' },
    4009: { meaning: 'a flood that ignored rate_limited', then: 'rest' },
};
export const afterClose = (code) => closings[code]?.then ?? 'resume';
