/**
 * The lane of a command: commands of one lane go out in the order they were
 * made, each when the one before it is answered. A lane is a conversation, an
 * application, a message that is changed, or else the user's own affairs. Read
 * marks have lanes of their own, so that they never hold up a message.
 */
export function laneOf(url, params) {
    const mark = url === '/chat/readMessage' ? 'read ' : '';
    for (const [kind, names] of lanes) {
        for (const name of names)
            if (typeof params[name] === 'string')
                return `${mark}${kind} ${params[name]}`;
    }
    return 'own';
}
const lanes = [
    ['group', ['groupId']],
    ['person', ['receiveUserId', 'userId', 'friendId']],
    ['application', ['applyGroupId', 'applyFriendId']],
    ['message', ['position']],
];
