// The one-character values of the protocol.
export const apply = { refused: '0', pending: '1', expired: '2', agreed: '9' };
export const applyType = { invitation: '1', application: '2' };
export const role = { member: '1', admin: '5', owner: '9' };
export const joinMode = { invitation: '0', application: '1', open: '9' };
export const friendState = { offline: '0', online: '9' };
export const recentType = { group: '1', friend: '2' };
