import { inGroup, withPerson, type ConversationKey } from './conversation'
import { apply, offsetOf, type ApplyData, type MessageData, type Push, type RevisionData, type VerifyData } from '@lishi/client'
import { fromPush, type Message, type Revision } from './timeline'

/** A list that queries give, and that a push has made out of date. */
export type List = 'friends' | 'groups' | 'friendApplications' | 'groupApplications' | 'recents'

/** What a person should be told about; the text is made where the language and the names are known. */
export interface Notice {
  kind:
    | 'friendApplied'
    | 'friendAgreed'
    | 'friendRefused'
    | 'friendRemoved'
    | 'groupApplied'
    | 'groupInvited'
    | 'groupRemoved'
    | 'groupDeleted'
    | 'applicationAgreed'
    | 'applicationRefused'
    | 'invitationAgreed'
    | 'invitationRefused'
  userId: string // who did it
  name: string | undefined
  group: string // its name; empty where there is none
  note: string
}

/** What a push means for the state of the page. */
export type Change =
  | { kind: 'message'; conversation: ConversationKey; message: Message; senderName: string | undefined }
  | { kind: 'revision'; conversation: ConversationKey; revision: Revision }
  | { kind: 'read'; conversation: ConversationKey; by: 'me' | 'peer'; position: string }
  | { kind: 'stale'; list: List }
  | { kind: 'members'; groupId: string; users: readonly string[] }
  | { kind: 'profile'; userId: string; nickName: string | undefined; avatar: string | undefined }
  | { kind: 'left'; groupId: string }
  | { kind: 'notice'; notice: Notice }

/**
 * Reads a push as the user `me`, who is a member of some groups. Nothing here
 * asks or remembers: the same push always means the same. Lists are asked for again rather than patched, since
 * a query sees everything that was pushed before it.
 */
export function changesOf(push: Push, me: string, isMember: (groupId: string) => boolean): Change[] {
  switch (push.msgType) {
    case '1': {
      const { sendUserId, receiveUserId } = push.data
      return [message(withPerson(sendUserId === me ? receiveUserId : sendUserId), push.data)]
    }
    case '2':
      return push.data.groupId === undefined ? [] : [message(inGroup(push.data.groupId), push.data)]
    case '3':
      return about(push.data.applyUserId !== me, applyNotice('friendApplied', push.data), stale('friendApplications'))
    case '4':
      return about(push.data.applyUserId !== me, applyNotice('groupApplied', push.data), stale('groupApplications'))
    case '5':
      return about(push.data.applyUserId !== me, applyNotice('groupInvited', push.data), stale('groupApplications'))
    case '6':
      return about(push.data.applyUserId !== me, applyNotice('friendRemoved', push.data), stale('friends'))
    case '7':
      return removedFromGroup(push.data, me)
    case '9':
      return friendVerified(push.data, me)
    case '10':
      return groupVerified(push.data, me, isMember)
    case '11': {
      const { change, groupId, userId, operatorUserId } = push.data
      const gone = (change === 'quit' || change === 'removed') && userId === me
      const left: Change[] = gone ? [{ kind: 'left', groupId }] : []
      return [...left, stale('groups'), stale('groupApplications'), members(groupId, userId, change === 'owner' ? operatorUserId : undefined)]
    }
    case '12':
      return revised(push.data, me)
    case '13': {
      const { userId, peerUserId, groupId, readPosition } = push.data
      const by = userId === me ? 'me' : 'peer'
      const partner = by === 'me' ? peerUserId : userId
      if (groupId !== undefined) return by === 'me' ? [{ kind: 'read', conversation: inGroup(groupId), by, position: readPosition }] : []
      return partner === undefined ? [] : [{ kind: 'read', conversation: withPerson(partner), by, position: readPosition }]
    }
    case '14': {
      if (push.data.change !== undefined) return [stale('friends')]
      const { userId, nickName, avatar } = push.data
      return [{ kind: 'profile', userId, nickName, avatar }, stale('friends')]
    }
    default:
      return [] // of a kind this client does not know, or the connection's own affair
  }
}

function revised(data: RevisionData, me: string): Change[] {
  const { change, messagePosition, messageContent, sendUserId, receiveUserId, groupId } = data
  const partner = sendUserId === me ? receiveUserId : sendUserId
  if (groupId === undefined && partner === undefined) return []
  const conversation = groupId === undefined ? withPerson(partner!) : inGroup(groupId)
  const { operatorUserId, time } = data
  const revision = { offset: offsetOf(messagePosition), sender: sendUserId, ...(operatorUserId && { by: operatorUserId }), ...(time && { time }) }
  if (change === 'recalled') return [{ kind: 'revision', conversation, revision: { ...revision, change } }]
  // A change of a later version says nothing to this client.
  if (change !== 'edited' || messageContent === undefined) return []
  return [{ kind: 'revision', conversation, revision: { ...revision, change, text: messageContent } }]
}

function removedFromGroup(data: ApplyData, me: string): Change[] {
  if (data.groupId === undefined) return []
  const removedMe = data.targetUserId === me || (data.targetUserId === undefined && data.applyUserId !== me)
  const gone: Change[] = removedMe || data.targetUserId === undefined ? [{ kind: 'left', groupId: data.groupId }] : []
  const kind = data.targetUserId === undefined ? 'groupDeleted' : 'groupRemoved'
  return about(removedMe, applyNotice(kind, data), ...gone, stale('groups'), stale('groupApplications'), members(data.groupId, data.targetUserId))
}

function friendVerified(data: VerifyData, me: string): Change[] {
  const kind = data.applyState === apply.agreed ? 'friendAgreed' : 'friendRefused'
  return about(data.verifyUserId !== me, verifyNotice(kind, data), stale('friends'), stale('friendApplications'))
}

function groupVerified(data: VerifyData, me: string, isMember: (groupId: string) => boolean): Change[] {
  const changes: Change[] = [stale('groups'), stale('groupApplications')]
  if (data.groupId !== undefined) changes.push(members(data.groupId, data.targetUserId, data.verifyUserId))
  // The frame tells an invitation's verification from an application's by whom
  // it reaches: who invited is a member already, who applied is not yet.
  const invited = data.groupId !== undefined && isMember(data.groupId)
  const agreed = data.applyState === apply.agreed
  const notice = verifyNotice(`${invited ? 'invitation' : 'application'}${agreed ? 'Agreed' : 'Refused'}`, data)
  return about(data.verifyUserId !== me, notice, ...changes)
}

function message(conversation: ConversationKey, data: MessageData): Change {
  return { kind: 'message', conversation, message: fromPush(data), senderName: data.sendNickName }
}

function members(groupId: string, ...users: (string | undefined)[]): Change {
  return { kind: 'members', groupId, users: users.filter((user) => user !== undefined) }
}

const stale = (list: List): Change => ({ kind: 'stale', list })

function about(tell: boolean, notice: Notice, ...changes: Change[]): Change[] {
  return tell ? [...changes, { kind: 'notice', notice }] : changes
}

function applyNotice(kind: Notice['kind'], data: ApplyData): Notice {
  return { kind, userId: data.applyUserId, name: data.applyNickName, group: data.groupName ?? data.groupId ?? '', note: data.note ?? '' }
}

function verifyNotice(kind: Notice['kind'], data: VerifyData): Notice {
  return { kind, userId: data.verifyUserId ?? '', name: data.verifyUserNickName, group: data.groupName ?? data.groupId ?? '', note: data.note ?? '' }
}
