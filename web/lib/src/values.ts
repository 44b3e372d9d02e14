// The one-character values of the protocol.

export const apply = { refused: '0', pending: '1', expired: '2', agreed: '9' } as const
export const applyType = { invitation: '1', application: '2' } as const
export const role = { member: '1', admin: '5', owner: '9' } as const
export const joinMode = { invitation: '0', application: '1', open: '9' } as const
export const friendState = { offline: '0', online: '9' } as const
export const recentType = { group: '1', friend: '2' } as const

/** A date as the deployment writes it: `yyyy-MM-dd HH:mm:ss` in its zone unless it is set otherwise. `time` beside it is Unix milliseconds. */
export type DateText = string
