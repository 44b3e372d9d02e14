import { SvelteMap } from 'svelte/reactivity'
import { apply, applyType, role, type Client, type FriendApplicationRow, type FriendFolderRow, type GroupApplicationRow, type GroupRow, type UserRow } from '@lishi/client'
import { isGroup, partnerOf, type ConversationKey } from '../protocol/conversation'
import { QueriedList } from './list.svelte'
import { Members } from './members.svelte'
import type { People } from './people.svelte'

/** Friends, groups and applications: who belongs to whom, and who would like to. */
export class Contacts {
  readonly folders: QueriedList<FriendFolderRow>
  readonly blocked: QueriedList<UserRow>
  readonly groups: QueriedList<GroupRow>
  readonly friendApplications: QueriedList<FriendApplicationRow>
  readonly groupApplications: QueriedList<GroupApplicationRow>
  private readonly members = new SvelteMap<string, Members>()
  private readonly pastGroups = new SvelteMap<string, string>() // names of groups one does not belong to

  readonly friends = $derived.by(() => this.folders.rows.flatMap((folder) => folder.friendLists))
  readonly friendsById = $derived.by(() => new Map(this.friends.map((row) => [row.friendId, row])))
  readonly blockedIds = $derived.by(() => new Set(this.blocked.rows.map((row) => row.userId)))
  readonly friendIds = $derived.by(() => new Set(this.friends.map((row) => row.friendId)))
  readonly groupsById = $derived.by(() => new Map(this.groups.rows.map((row) => [row.groupId, row])))
  readonly incomingFriends = $derived.by(() => this.friendApplications.rows.filter((row) => row.applyState === apply.pending && row.applyUserId !== this.me))
  readonly incomingGroups = $derived.by(() => this.groupApplications.rows.filter((row) => row.applyState === apply.pending && this.concernsMe(row)))
  readonly waiting = $derived.by(() => this.incomingFriends.length + this.incomingGroups.length)

  constructor(
    private readonly client: Client,
    private readonly people: People,
    readonly me: string,
    private readonly now: () => number,
  ) {
    this.folders = new QueriedList(async () => {
      const { list } = await client.query('/friend/myFriendList')
      const rows = list.flatMap((folder) => folder.friendLists)
      const ids = new Set(rows.map((row) => row.friendId))
      // A remark ends with the friendship.
      for (const { friendId } of this.friends) if (!ids.has(friendId)) people.learn(friendId, { remarks: '' })
      for (const row of rows) people.learn(row.friendId, row)
      return list
    })
    this.blocked = new QueriedList(async () => {
      const { list } = await client.query('/friend/getBlockedList')
      for (const row of list) people.learn(row.userId, row)
      return list
    })
    this.groups = new QueriedList(async () => {
      const { list } = await client.query('/group/getGroupList')
      for (const row of list) this.pastGroups.set(row.groupId, row.groupName)
      return list
    })
    this.friendApplications = new QueriedList(async () => {
      const { list } = await client.query('/friend/getApplyFriendList')
      for (const row of list) people.hint(row.applyUserId, row.applyNickName)
      people.want(list.map((row) => row.receiveUserId))
      return list
    })
    this.groupApplications = new QueriedList(async () => {
      const { list } = await client.query('/group/getApplyGroupList')
      for (const row of list) {
        people.hint(row.applyUserId, row.applyNickName)
        if (row.groupName) this.pastGroups.set(row.groupId, row.groupName)
      }
      people.want(list.map((row) => row.targetUserId ?? ''))
      return list
    })
  }

  refresh(): void {
    for (const list of this.lists) void list.refresh()
    for (const members of this.members.values()) void members.refresh()
  }

  stop(): void {
    for (const list of this.lists) list.stop()
    for (const members of this.members.values()) members.stop()
  }

  private get lists(): { refresh(): Promise<void>; stop(): void }[] {
    return [this.folders, this.groups, this.blocked, this.friendApplications, this.groupApplications]
  }

  /** What waits may have expired meanwhile. */
  lookAtRequests(): void {
    if (!this.friendApplications.loaded) return // they are on their way
    void this.friendApplications.refresh()
    void this.groupApplications.refresh()
  }

  groupName(groupId: string): string {
    return this.groupsById.get(groupId)?.groupName ?? this.pastGroups.get(groupId) ?? groupId
  }

  groupImage(groupId: string): string {
    return this.groupsById.get(groupId)?.groupImg ?? ''
  }

  learnGroup(groupId: string, name: string): void {
    if (name !== '' && this.pastGroups.get(groupId) !== name) this.pastGroups.set(groupId, name)
  }

  membersOf(groupId: string): Members | undefined {
    return this.members.get(groupId)
  }

  /** Has the members loaded; once they are, pushes keep them true. */
  loadMembers(groupId: string): void {
    if (this.members.has(groupId)) return
    const members = new Members(this.client, this.people, groupId)
    this.members.set(groupId, members)
    void members.refresh()
  }

  /** Something about these members is other than before; without ids, about any of them. */
  membersChanged(groupId: string, users: readonly string[] = []): void {
    this.members.get(groupId)?.touch(users)
  }

  manages(groupId: string): boolean {
    const mine = this.groupsById.get(groupId)?.role
    return mine === role.owner || mine === role.admin
  }

  /** Whether what the own user writes there can be expected to be taken. */
  speaks(key: ConversationKey): boolean {
    const partner = partnerOf(key)
    if (!isGroup(key)) return this.friendIds.has(partner) && !this.blockedIds.has(partner)
    const group = this.groupsById.get(partner)
    return group !== undefined && (group.mutedUntil ?? 0) <= this.now()
  }

  async findPeople(text: string): Promise<UserRow[]> {
    const [byId, byName] = await Promise.all([
      this.client.query('/friend/queryFriend', { userNo: text }),
      this.client.query('/friend/queryFriend', { nickName: text }),
    ])
    const rows = new Map([...byId.list, ...byName.list].map((row) => [row.userId, row]))
    for (const row of rows.values()) this.people.learn(row.userId, row)
    return [...rows.values()]
  }

  async findGroup(groupId: string): Promise<GroupRow | undefined> {
    const { list } = await this.client.query('/group/getGroup', { groupId })
    return list[0]
  }

  /** Makes a group and invites people; gives its id. */
  async addGroup(groupName: string, joinMode: string, userIds: readonly string[]): Promise<string> {
    const { groupId } = await this.client.command('/group/addGroup', { groupName, joinMode, userIds })
    await this.groups.refresh()
    void this.groupApplications.refresh()
    return groupId ?? ''
  }

  async applyGroup(groupId: string, note: string): Promise<void> {
    await this.client.command('/group/applyGroup', { groupId, note })
    await Promise.all([this.groups.refresh(), this.groupApplications.refresh()])
  }

  async invite(groupId: string, userId: string, note: string): Promise<void> {
    await this.client.command('/group/invitationGroup', { groupId, userId, note })
    void this.groupApplications.refresh()
  }

  /** Answers an invitation that came to the own user, or an application to an own group. */
  async verifyGroup(row: GroupApplicationRow, agreed: boolean, note: string): Promise<void> {
    const url = row.applyType === applyType.invitation ? '/group/userVerify' : '/group/groupVerify'
    try {
      await this.client.command(url, { applyGroupId: row.applyGroupId, applyState: agreed ? apply.agreed : apply.refused, note })
    } finally {
      await Promise.all([this.groupApplications.refresh(), this.groups.refresh()]) // also to see why it was refused
    }
    this.membersChanged(row.groupId, [row.applyType === applyType.application ? row.applyUserId : this.me])
  }

  async quitGroup(groupId: string): Promise<void> {
    await this.client.command('/group/quitGroup', { groupId })
    this.left(groupId)
    await this.groups.refresh()
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.client.command('/group/deleteGroup', { groupId })
    this.left(groupId)
    await this.groups.refresh()
  }

  left(groupId: string): void {
    this.members.get(groupId)?.stop()
    this.members.delete(groupId)
  }

  /** Whether it is the own user who should answer the row. */
  private concernsMe(row: GroupApplicationRow): boolean {
    if (row.applyType === applyType.application) return row.applyUserId !== this.me
    return row.targetUserId === undefined ? row.applyUserId !== this.me : row.targetUserId === this.me
  }
}
