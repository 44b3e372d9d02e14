import { apply, type Client, type FriendApplicationRow } from '@lishi/client'
import type { Contacts } from './contacts.svelte'

/** The folder where friends stand that are in no other one. */
export const defaultFolder = '0'

/** What one person does about another. Everything rejects with a RequestError. */
export class Friendship {
  constructor(
    private readonly client: Client,
    private readonly contacts: Contacts,
  ) {}

  async apply(userId: string, note: string): Promise<void> {
    await this.client.command('/friend/applyFriend', { userId, note })
    // Where the other had applied already, this made friends of the two.
    await Promise.all([this.contacts.friendApplications.refresh(), this.contacts.folders.refresh()])
  }

  async verify(row: FriendApplicationRow, agreed: boolean, note: string): Promise<void> {
    try {
      await this.client.command('/friend/verifyFriend', { applyFriendId: row.applyFriendId, applyState: agreed ? apply.agreed : apply.refused, note })
    } finally {
      await Promise.all([this.contacts.friendApplications.refresh(), this.contacts.folders.refresh()]) // also to see why it was refused
    }
  }

  async end(friendId: string): Promise<void> {
    await this.client.command('/friend/deleteFriend', { friendId })
    await this.contacts.folders.refresh()
  }

  /** Sets what only the own user sees of a friend: the remark (empty: none), the folder. */
  async see(friendId: string, view: { remark?: string; friendGroupId?: string }): Promise<void> {
    await this.client.command('/friend/updateFriend', { friendId, ...view })
    await this.contacts.folders.refresh()
  }

  async addFolder(friendGroupName: string): Promise<void> {
    await this.client.command('/friend/createFriendGroup', { friendGroupName })
    await this.contacts.folders.refresh()
  }

  /** Deletes a folder; its friends stand in the default one then. */
  async deleteFolder(friendGroupId: string): Promise<void> {
    await this.client.command('/friend/deleteFriendGroup', { friendGroupId })
    await this.contacts.folders.refresh()
  }

  async block(userId: string): Promise<void> {
    await this.client.command('/friend/blockFriend', { userId })
    await this.contacts.blocked.refresh()
  }

  async unblock(userId: string): Promise<void> {
    await this.client.command('/friend/unblockFriend', { userId })
    await this.contacts.blocked.refresh()
  }
}
