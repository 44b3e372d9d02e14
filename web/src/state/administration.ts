import type { Client } from '@lishi/client'
import type { Contacts } from './contacts.svelte'

export interface GroupFacts {
  groupName: string
  notice: string
  groupImg: string
  joinMode: string
}

/** What those who lead a group do in it. Everything rejects with a RequestError. */
export class Administration {
  constructor(
    private readonly client: Client,
    private readonly contacts: Contacts,
  ) {}

  async update(groupId: string, changes: Partial<GroupFacts>): Promise<void> {
    await this.client.command('/group/updateGroup', { groupId, ...changes })
    await this.contacts.groups.refresh()
  }

  async setRole(groupId: string, userId: string, role: string): Promise<void> {
    await this.client.command('/group/setGroupRole', { groupId, userId, role })
    this.contacts.membersChanged(groupId, [userId])
  }

  /** Silences a member for so many minutes from now on; 0 lets them speak again. */
  async mute(groupId: string, userId: string, minutes: number): Promise<void> {
    await this.client.command('/group/muteMember', { groupId, userId, minutes })
    this.contacts.membersChanged(groupId, [userId])
  }

  /** Hands the group over; who did stays as an admin. */
  async transfer(groupId: string, userId: string): Promise<void> {
    await this.client.command('/group/transferGroup', { groupId, userId })
    this.contacts.membersChanged(groupId, [userId, this.contacts.me])
    await this.contacts.groups.refresh()
  }

  async remove(groupId: string, removeUserId: string): Promise<void> {
    await this.client.command('/group/removeUserGroup', { groupId, removeUserId })
    this.contacts.membersChanged(groupId, [removeUserId])
    await this.contacts.groups.refresh()
  }
}
