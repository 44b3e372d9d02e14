import { getContext, setContext } from 'svelte'
import { t } from '../i18n/language.svelte'
import { Client, RequestError, type Environment, type Phase, type Push, type UserRow } from '@lishi/client'
import type { ConversationKey } from '../protocol/conversation'
import { changesOf, type Change, type List, type Notice } from '../protocol/pushes'
import { Contacts } from './contacts.svelte'
import { Conversations } from './conversations.svelte'
import type { Person } from './identity'
import { Notices } from './notices.svelte'
import { People } from './people.svelte'
import { Search } from './search.svelte'

/** Everything that one person's window knows and can do. */
export class Chat {
  readonly me: string
  phase = $state.raw<Phase>({ name: 'connecting' })
  everLive = $state(false)
  nickName = $state('')
  readonly client: Client
  readonly people: People
  readonly contacts: Contacts
  readonly conversations: Conversations
  readonly search: Search
  readonly notices = new Notices()
  private friendsAskedAt = 0

  constructor(
    person: Person,
    private readonly environment: Environment,
  ) {
    this.me = person.userId
    this.nickName = person.nickName
    this.client = new Client({ token: person.token, environment })
    this.client.on('phase', (phase) => (this.phase = phase))
    this.client.on('push', (push) => this.take(push))
    this.client.on('live', (resumed) => this.live(resumed))
    this.people = new People(this.client)
    this.people.learn(this.me, person.nickName)
    this.contacts = new Contacts(this.client, this.people, this.me)
    this.search = new Search(this.client, this.people, this.me, (ms, callback) => environment.later(ms, callback))
    this.conversations = new Conversations(this.client, this.people, this.contacts, this.me, (key, revision) => this.search.revise(key, revision))
  }

  start(): void {
    this.client.start()
  }

  stop(): void {
    this.contacts.stop()
    this.conversations.recents.stop()
    this.client.stop()
  }

  /** Milliseconds until the next attempt to connect. */
  retryIn(): number {
    return this.phase.name === 'waiting' ? Math.max(0, this.phase.retryAt - this.environment.now()) : 0
  }

  private live(resumed: boolean): void {
    this.everLive = true
    this.conversations.restoreOutgoing()
    if (resumed) return
    this.conversations.reset()
    this.contacts.refresh()
    void this.conversations.recents.refresh()
    void this.lookUpMyself()
  }

  private async lookUpMyself(): Promise<void> {
    try {
      const { list } = await this.client.query<UserRow>('/friend/queryFriend', { userNo: this.me })
      const row = list.find((one) => one.userId === this.me)
      if (row) this.rename(row.nickName)
    } catch {
      // The token's name stays until a profile push or the next login.
    }
  }

  private rename(nickName: string): void {
    this.nickName = nickName
    this.people.learn(this.me, nickName)
  }

  private take(push: Push): void {
    for (const change of changesOf(push, this.me, (groupId) => this.contacts.groupsById.has(groupId))) this.apply(change)
  }

  private apply(change: Change): void {
    switch (change.kind) {
      case 'message':
        this.people.learn(change.message.sender, change.senderName)
        this.conversations.get(change.conversation).receive(change.message)
        break
      case 'revision':
        this.conversations.get(change.conversation).revise(change.revision)
        break
      case 'read': {
        const conversation = this.conversations.get(change.conversation)
        if (change.by === 'me') conversation.readTo(change.position)
        else conversation.peerReadTo(change.position)
        break
      }
      case 'stale':
        void this.list(change.list).refresh()
        break
      case 'members':
        this.contacts.membersChanged(change.groupId)
        break
      case 'left':
        this.contacts.left(change.groupId)
        break
      case 'profile':
        if (change.userId === this.me && change.nickName) this.rename(change.nickName)
        else this.people.learn(change.userId, change.nickName)
        break
      case 'notice':
        this.tell(change.notice)
    }
  }

  private list(list: List): { refresh(): Promise<void> } {
    return list === 'recents' ? this.conversations.recents : this.contacts[list]
  }

  private tell(notice: Notice): void {
    this.people.learn(notice.userId, notice.name)
    this.notices.tell(t(`${notice.kind}Notice`, { name: this.people.name(notice.userId), group: notice.group }))
  }

  /** Does something that a button asks for; what goes wrong is told. Gives whether it was done. */
  readonly attempt = async (action: () => Promise<void>): Promise<boolean> => {
    try {
      await action()
      return true
    } catch (error) {
      this.notices.tell(reasonText(error), 'bad')
      return false
    }
  }

  async updateNickName(nickName: string): Promise<void> {
    await this.client.command('/user/updateUser', { nickName })
    this.rename(nickName)
  }

  /** Friends' states are no events, so they are asked for, when somebody comes back to look. */
  lookAround(): void {
    if (this.phase.name !== 'live' || this.environment.now() - this.friendsAskedAt < 30_000) return
    this.friendsAskedAt = this.environment.now()
    void this.contacts.friends.refresh()
  }
}

export function reasonText(error: unknown): string {
  if (!(error instanceof RequestError)) throw error
  return t(`reason_${error.reason}`)
}

const contextKey = Symbol('chat')
export const provideChat = (chat: Chat): Chat => setContext(contextKey, chat)
export const useChat = (): Chat => getContext<Chat>(contextKey)
export type { ConversationKey }
