import { describe, expect, test } from 'vitest'
import { role } from '@lishi/client'
import table from '../../../docs/permissions.md?raw'
import { mayIn, type GroupAction } from './permissions'

// The table that the program itself is checked by.
const rows = table
  .split('\n')
  .filter((line) => line.startsWith('| /'))
  .map((line) => line.split('|').map((cell) => cell.trim()).slice(1, 7))

function told(url: string, when: string): Record<string, boolean> {
  const row = rows.findLast(([path, condition]) => path === url && condition === when)
  if (!row) throw new Error(`no row of ${url} “${when}”`)
  return { [role.owner]: row[2] === 'yes', [role.admin]: row[3] === 'yes', [role.member]: row[4] === 'yes' }
}

describe('what the page offers is what docs/permissions.md allows', () => {
  test.each<[GroupAction, string, string, string | undefined]>([
    ['update', '/group/updateGroup', 'always', undefined],
    ['invite', '/group/invitationGroup', 'always', undefined],
    ['verify', '/group/groupVerify', 'always', undefined],
    ['remove', '/group/removeUserGroup', 'always', role.member],
    ['remove', '/group/removeUserGroup', 'of an admin', role.admin],
    ['mute', '/group/muteMember', 'always', role.member],
    ['mute', '/group/muteMember', 'of an admin', role.admin],
    ['setRole', '/group/setGroupRole', 'always', role.member],
    ['transfer', '/group/transferGroup', 'always', role.member],
    ['quit', '/group/quitGroup', 'always', undefined],
    ['delete', '/group/deleteGroup', 'always', undefined],
  ])('%s: %s, %s', (action, url, when, theirs) => {
    for (const [mine, allowed] of Object.entries(told(url, when))) expect(mayIn(action, mine, theirs), `by ${mine}`).toBe(allowed)
  })

  test('an admin does nothing to the owner', () => {
    for (const action of ['remove', 'mute'] as const) expect(mayIn(action, role.admin, role.owner)).toBe(false)
  })
})
