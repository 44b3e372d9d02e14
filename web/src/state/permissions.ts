import { role } from '@lishi/client'

/** What a role may let somebody do in a group, or to a member of it. */
export type GroupAction = 'update' | 'invite' | 'verify' | 'remove' | 'mute' | 'setRole' | 'transfer' | 'quit' | 'delete'

/** To whom: another member's role; undefined where it is done to nobody. Nobody does any of it to oneself. */
export function mayIn(action: GroupAction, mine: string, theirs?: string): boolean {
  switch (action) {
    case 'update':
    case 'invite':
    case 'verify':
      return mine === role.owner || mine === role.admin
    case 'remove':
    case 'mute':
      return mine === role.owner || (mine === role.admin && theirs === role.member)
    case 'setRole':
    case 'transfer':
    case 'delete':
      return mine === role.owner
    case 'quit':
      return mine === role.admin || mine === role.member
  }
}
