import { getContext, setContext, tick } from 'svelte'
import { t } from '../i18n/language.svelte'
import { Client, RequestError, WebStore, type Environment, type Phase, type Push } from '@lishi/client'
import type { ConversationKey } from '../protocol/conversation'
import { changesOf, type Change, type List, type Notice } from '../protocol/pushes'
import { Administration } from './administration'
import { Contacts } from './contacts.svelte'
import { Conversations } from './conversations.svelte'
import { Friendship } from './friendship'
import type { Person } from './identity'
import { Notices } from './notices.svelte'
import { People } from './people.svelte'
import { Search } from './search.svelte'
import { ServerSide } from './server.svelte'

/** Everything that one person's window knows and can do. */
export class Chat {
  readonly me: string
  phase = $state.raw<Phase>({ name: 'connecting' })
  everLive = $state(false)
  nickName = $state('')
  readonly client: Client
  readonly people: People
  readonly contacts: Contacts
  readonly friendship: Friendship
  readonly administration: Administration
  readonly server = new ServerSide()
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
    this.client = new Client({ token: person.token, environment, store: new WebStore(sessionStorage), keepCursor: false })
    this.client.on('phase', (phase) => (this.phase = phase))
    this.client.on('push', (push) => this.take(push))
    this.client.on('live', (resumed) => this.live(resumed))
    this.client.on('settled', (settled) => this.conversations.settled(settled))
    this.client.on('login', (data) => this.server.told(data))
    this.people = new People(this.client)
    this.people.learn(this.me, person)
    this.contacts = new Contacts(this.client, this.people, this.me, () => this.server.now())
    this.friendship = new Friendship(this.client, this.contacts)
    this.administration = new Administration(this.client, this.contacts)
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
    // What is open asks first: its words are waited for.
    void tick().then(() => {
      void this.conversations.recents.refresh()
      this.contacts.refresh()
      void this.lookUpMyself()
    })
  }

  private async lookUpMyself(): Promise<void> {
    try {
      const { list } = await this.client.query('/friend/queryFriend', { userNo: this.me })
      const row = list.find((one) => one.userId === this.me)
      if (row) this.learnMyself(row.nickName, row.avatar)
    } catch {
      // The token's name stays until a profile push or the next login.
    }
  }

  private learnMyself(nickName: string | undefined, avatar: string | undefined): void {
    if (nickName) this.nickName = nickName
    this.people.learn(this.me, { nickName, avatar })
  }

  private take(push: Push): void {
    for (const change of changesOf(push, this.me, (groupId) => this.contacts.groupsById.has(groupId))) this.apply(change)
  }

  private apply(change: Change): void {
    switch (change.kind) {
      case 'message':
        this.people.learn(change.message.sender, { nickName: change.senderName })
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
        this.contacts.membersChanged(change.groupId, change.users)
        break
      case 'left':
        this.contacts.left(change.groupId)
        break
      case 'profile':
        if (change.userId === this.me) this.learnMyself(change.nickName, change.avatar)
        else this.people.learn(change.userId, change)
        break
      case 'notice':
        this.tell(change.notice)
    }
  }

  private list(list: List): { refresh(): Promise<void> } {
    if (list === 'recents') return this.conversations.recents
    return list === 'friends' ? this.contacts.folders : this.contacts[list]
  }

  private tell(notice: Notice): void {
    this.people.learn(notice.userId, { nickName: notice.name })
    const text = t(`${notice.kind}Notice`, { name: this.people.name(notice.userId), group: notice.group })
    this.notices.tell(notice.note === '' ? text : t('noticeWithNote', { text, note: notice.note }))
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

  async updateProfile(profile: { nickName?: string; avatar?: string }): Promise<void> {
    await this.client.command('/user/updateUser', profile)
    this.learnMyself(profile.nickName, profile.avatar)
  }

  /** Friends' states are no events, so they are asked for, when somebody comes back to look. */
  lookAround(): void {
    if (this.phase.name !== 'live' || this.environment.now() - this.friendsAskedAt < 30_000) return
    this.friendsAskedAt = this.environment.now()
    void this.contacts.folders.refresh()
    if (this.contacts.waiting > 0) this.contacts.lookAtRequests()
  }
}

export function reasonText(error: unknown): string {
  if (!(error instanceof RequestError)) throw error
  return t(`reason_${error.reason}`)
}

const contextKey = Symbol('chat')
export const provideChat = (chat: Chat): Chat => setContext(contextKey, chat)
export const useChat = (): Chat => getContext<Chat>(contextKey)
/** The chat, where one has begun: not on the first page. */
export const maybeChat = (): Chat | undefined => getContext<Chat | undefined>(contextKey)
export type { ConversationKey }
