/**
 * The lane of a command: commands of one lane go out in the order they were
 * made, each when the one before it is answered. A lane is a conversation, an
 * application, a message that is changed, or else the user's own affairs. Read
 * marks have lanes of their own, so that they never hold up a message.
 */
export declare function laneOf(url: string, params: Readonly<Record<string, unknown>>): string;
