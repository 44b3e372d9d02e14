import { describe, expect, test } from 'vitest'
import type { Push } from '@lishi/client'
import { changesOf, type Change } from './pushes'

const read = (msgType: string, data: Record<string, unknown>, memberOf: string[] = []): Change[] =>
  changesOf({ msgType, data: { position: 'c0-7', ...data } } as unknown as Push, 'ann', (groupId) => memberOf.includes(groupId))

const kinds = (changes: Change[]): string[] =>
  changes.map((change) => (change.kind === 'stale' ? `stale ${change.list}` : change.kind === 'notice' ? `notice ${change.notice.kind}` : change.kind))

const said = { messageContent: '你好', receiveDate: '2026-11-23 10:00:00', messageId: 'm7', time: 9 }
const applied = { applyUserId: 'bob', applyNickName: '小波', applyDate: '', note: '是我', applyFriendId: 'a1', targetUserId: 'ann' }
const invited = { applyUserId: 'bob', applyNickName: '小波', applyDate: '', applyGroupId: 'a2', groupId: 'g1', groupName: '诗社', targetUserId: 'ann' }

describe('messages', () => {
  test('1 from somebody belongs to the conversation with them', () => {
    expect(read('1', { ...said, sendUserId: 'bob', receiveUserId: 'ann', sendNickName: '小波' })).toEqual([
      { kind: 'message', conversation: 'p:bob', senderName: '小波', message: { id: 'm7', position: 'c0-7', offset: 7, sender: 'bob', text: '你好', time: 9, recalled: false, edited: false } },
    ])
  })

  test('2 that answers and names', () => {
    expect(read('2', { ...said, sendUserId: 'bob', groupId: 'g1', replyTo: 'c0-2', atUserIds: ['ann'] })[0]).toMatchObject({ message: { replyTo: 'c0-2', at: ['ann'] } })
  })

  test('1 of the own user, said in another window, too', () => {
    expect(read('1', { ...said, sendUserId: 'ann', receiveUserId: 'bob' })[0]).toMatchObject({ conversation: 'p:bob', message: { sender: 'ann' } })
  })

  test('2 belongs to the group, whoever said it', () => {
    expect(read('2', { ...said, sendUserId: 'bob', receiveUserId: 'ann', groupId: 'g1' })[0]).toMatchObject({ conversation: 'g:g1' })
    expect(read('2', { ...said, sendUserId: 'ann', receiveUserId: 'ann', groupId: 'g1' })[0]).toMatchObject({ conversation: 'g:g1' })
  })
})

describe('edits and recalls', () => {
  const edited = { change: 'edited', messagePosition: 'c0-3', messageContent: '改过', sendUserId: 'bob', receiveUserId: 'ann', operatorUserId: 'bob', date: '' }

  test('12 from the other one, with the new text', () => {
    expect(read('12', edited)).toEqual([{ kind: 'revision', conversation: 'p:bob', revision: { change: 'edited', offset: 3, sender: 'bob', text: '改过', by: 'bob' } }])
  })

  test('12 of the own message, changed in another window', () => {
    expect(read('12', { ...edited, sendUserId: 'ann', receiveUserId: 'bob' })[0]).toMatchObject({ conversation: 'p:bob', revision: { sender: 'ann' } })
  })

  test('12 in a group, recalled by its owner: no text, and the sender stays the sender', () => {
    const recalled = { ...edited, change: 'recalled', messageContent: undefined, receiveUserId: undefined, groupId: 'g1', operatorUserId: 'cid' }
    expect(read('12', recalled, ['g1'])).toEqual([{ kind: 'revision', conversation: 'g:g1', revision: { change: 'recalled', offset: 3, sender: 'bob', by: 'cid' } }])
  })

  test('12 with a change of a later version, or of nobody, says nothing', () => {
    expect(read('12', { ...edited, change: 'pinned' })).toEqual([])
    expect(read('12', { ...edited, messageContent: undefined })).toEqual([])
    expect(read('12', { ...edited, sendUserId: 'ann', receiveUserId: undefined })).toEqual([])
  })
})

describe('read marks', () => {
  test('13 of the own user, one to one and in a group', () => {
    expect(read('13', { userId: 'ann', peerUserId: 'bob', readPosition: 'c0-5' })).toEqual([{ kind: 'read', conversation: 'p:bob', by: 'me', position: 'c0-5' }])
    expect(read('13', { userId: 'ann', groupId: 'g1', readPosition: 'c0-5' })).toEqual([{ kind: 'read', conversation: 'g:g1', by: 'me', position: 'c0-5' }])
  })

  test('13 of the other one', () => {
    expect(read('13', { userId: 'bob', peerUserId: 'ann', readPosition: 'c0-5' })).toEqual([{ kind: 'read', conversation: 'p:bob', by: 'peer', position: 'c0-5' }])
  })
})

describe('relations', () => {
  test.each<[string, string, Record<string, unknown>, string[], string[]]>([
    ['3 from another', '3', applied, [], ['stale friendApplications', 'notice friendApplied']],
    ['3 of the own user', '3', { ...applied, applyUserId: 'ann', targetUserId: 'bob' }, [], ['stale friendApplications']],
    ['4', '4', invited, ['g1'], ['stale groupApplications', 'notice groupApplied']],
    ['5 to the own user', '5', invited, [], ['stale groupApplications', 'notice groupInvited']],
    ['5 by the own user', '5', { ...invited, applyUserId: 'ann', targetUserId: 'bob' }, ['g1'], ['stale groupApplications']],
    ['6 by another', '6', applied, [], ['stale friends', 'notice friendRemoved']],
    ['6 by the own user is no own removal', '6', { ...applied, applyUserId: 'ann', targetUserId: 'bob' }, [], ['stale friends']],
    ['7 removes the own user', '7', invited, ['g1'], ['left', 'stale groups', 'stale groupApplications', 'members', 'notice groupRemoved']],
    ['7 by the own user is no own removal', '7', { ...invited, applyUserId: 'ann', targetUserId: 'bob' }, ['g1'], ['stale groups', 'stale groupApplications', 'members']],
    ['7 of a deleted group', '7', { ...invited, targetUserId: undefined }, ['g1'], ['left', 'stale groups', 'stale groupApplications', 'members', 'notice groupDeleted']],
    ['7 of a group that the own user deleted', '7', { ...invited, applyUserId: 'ann', targetUserId: undefined }, ['g1'], ['left', 'stale groups', 'stale groupApplications', 'members']],
    ['9 agreed', '9', { applyFriendId: 'a1', applyState: '9', verifyUserId: 'bob' }, [], ['stale friends', 'stale friendApplications', 'notice friendAgreed']],
    ['9 refused', '9', { applyFriendId: 'a1', applyState: '0', verifyUserId: 'bob' }, [], ['stale friends', 'stale friendApplications', 'notice friendRefused']],
    ['9 of the own verification', '9', { applyFriendId: 'a1', applyState: '9', verifyUserId: 'ann' }, [], ['stale friends', 'stale friendApplications']],
    ['10 to who applied', '10', { groupId: 'g1', applyState: '9', verifyUserId: 'bob' }, [], ['stale groups', 'stale groupApplications', 'members', 'notice applicationAgreed']],
    ['10 refused', '10', { groupId: 'g1', applyState: '0', verifyUserId: 'bob' }, [], ['stale groups', 'stale groupApplications', 'members', 'notice applicationRefused']],
    ['10 to who invited', '10', { groupId: 'g1', applyState: '9', verifyUserId: 'bob' }, ['g1'], ['stale groups', 'stale groupApplications', 'members', 'notice invitationAgreed']],
    ['11 joined', '11', { groupId: 'g1', change: 'joined', userId: 'bob' }, ['g1'], ['stale groups', 'stale groupApplications', 'members']],
    ['11 the own user quit elsewhere', '11', { groupId: 'g1', change: 'quit', userId: 'ann' }, ['g1'], ['left', 'stale groups', 'stale groupApplications', 'members']],
    ['14', '14', { userId: 'ann', nickName: '安' }, [], ['profile', 'stale friends']],
    ['14 of folders or of a friend’s view is no profile', '14', { userId: 'ann', nickName: '安', change: 'friend', friendId: 'bob', remark: '二哥' }, [], ['stale friends']],
    ['one of a later version', '99', {}, [], []],
  ])('%s', (_name, msgType, data, memberOf, expected) => expect(kinds(read(msgType, data, memberOf))).toEqual(expected))

  test('members who came, left or are other than before are named', () => {
    const users = (msgType: string, data: Record<string, unknown>) => read(msgType, data, ['g1']).flatMap((change) => (change.kind === 'members' ? change.users : []))
    expect(users('11', { groupId: 'g1', change: 'muted', userId: 'bob', operatorUserId: 'cid' })).toEqual(['bob'])
    expect(users('11', { groupId: 'g1', change: 'owner', userId: 'bob', operatorUserId: 'cid' })).toEqual(['bob', 'cid'])
    expect(users('7', invited)).toEqual(['ann'])
  })

  test('a notice says who and which group', () => {
    expect(read('5', invited).at(-1)).toEqual({ kind: 'notice', notice: { kind: 'groupInvited', userId: 'bob', name: '小波', group: '诗社', note: '' } })
    expect(read('5', { ...invited, note: '来吧' }).at(-1)).toMatchObject({ notice: { note: '来吧' } })
  })
})
