// @vitest-environment jsdom
import { flushSync } from 'svelte'
import { beforeEach, describe, expect, test } from 'vitest'
import { inGroup, withPerson } from '../protocol/conversation'
import { RequestError } from '@lishi/client'
import { World } from '@lishi/client/testing'
import { Chat } from './chat.svelte'
import { personOf, rememberedPerson } from './identity'

let world: World
let chat: Chat
const bob = withPerson('bob')
const settled = () => new Promise((resolve) => setTimeout(resolve))

/** Answers every query that waits; lists that are not named are empty. */
async function answer(lists: Record<string, unknown[]> = {}): Promise<void> {
  for (let turn = 0; turn < 6; turn++) {
    for (const { url, params } of world.wire.sent.splice(0)) {
      if (/^\/(friend|group)\/(my|query|get|load)/.test(url)) world.wire.succeed(params.uniqueNo, { list: lists[url] ?? [] })
      else others.push({ url, params })
    }
    await settled()
  }
  flushSync()
}
let others: { url: string; params: Record<string, unknown> }[]
const sent = (url: string) => others.filter((request) => request.url === url).map((request) => request.params)

const push = (position: string, sender: string, text: string) =>
  world.wire.push('1', { sendUserId: sender, receiveUserId: sender === 'ann' ? 'bob' : 'ann', messageContent: text, receiveDate: '', messageId: `m-${position}`, position, time: Date.now(), sendNickName: sender === 'bob' ? '小波' : '安' })

const friends = { '/friend/myFriendList': [{ friendGroupId: '1', friendGroupName: '', friendLists: [{ friendId: 'bob', friendState: '9', nickName: '小波' }] }] }

function start(): void {
  world = new World()
  others = []
  chat = new Chat({ userId: 'ann', nickName: '安', token: 't' }, world)
  chat.start()
  world.wire.onOpen()
  world.wire.welcome('c0-10')
}

beforeEach(async () => {
  sessionStorage.clear()
  start()
  await answer({ ...friends, '/group/getGroupList': [{ groupId: 'g1', groupName: '诗社', role: '9', joinMode: '1', memberCount: 3 }] })
})

test('friends and groups stand in the list before anything was said', () => {
  expect(chat.conversations.list).toEqual([bob, inGroup('g1')].sort((a, b) => chat.conversations.name(a).localeCompare(chat.conversations.name(b), 'zh-CN')))
  expect(chat.conversations.name(bob)).toBe('小波')
})

describe('messages', () => {
  test('count as unread until the conversation is looked at, which is told once', async () => {
    push('c0-11', 'bob', '一')
    push('c0-12', 'bob', '二')
    const conversation = chat.conversations.get(bob)
    expect(chat.conversations.unread).toBe(2)
    expect(conversation.preview).toMatchObject({ sender: 'bob', text: '二' })
    conversation.open()
    await answer()
    void conversation.markRead()
    void conversation.markRead()
    await answer()
    expect(chat.conversations.unread).toBe(0)
    expect(sent('/chat/readMessage')).toEqual([{ token: 't', uniqueNo: expect.any(String) as string, userId: 'bob', position: 'c0-12' }])
  })

  test('a read mark of another window counts here', () => {
    push('c0-11', 'bob', '一')
    push('c0-12', 'bob', '二')
    world.wire.push('13', { userId: 'ann', peerUserId: 'bob', readPosition: 'c0-11', position: 'u0-1' })
    expect(chat.conversations.unread).toBe(1)
    world.wire.push('13', { userId: 'ann', peerUserId: 'bob', readPosition: 'c0-12', position: 'u0-2' })
    expect(chat.conversations.unread).toBe(0)
  })

  test('the other one’s read mark is kept', () => {
    world.wire.push('13', { userId: 'bob', peerUserId: 'ann', readPosition: 'c0-12', position: 'u0-2' })
    expect(chat.conversations.get(bob).peerRead).toBe(12)
  })

  test('the other one’s read mark comes with the list too', async () => {
    start()
    await answer({ ...friends, '/friend/getRecentMessageList': [{ recentId: 'bob', name: '小波', type: '2', lastDate: '', time: 5, content: '一', sendUserId: 'ann', total: 0, position: 'c0-9', peerReadPosition: 'c0-9' }] })
    expect(chat.conversations.get(bob).peerRead).toBe(9)
  })

  test('the own mark moves with what is looked at, and once to the furthest', async () => {
    const conversation = chat.conversations.get(bob)
    conversation.open()
    await answer()
    for (const offset of [11, 12, 13, 14]) push(`c0-${offset}`, 'bob', String(offset))
    void conversation.markRead(12)
    expect(conversation.unread).toBe(2)
    void conversation.markRead(13) // while the first is on its way
    const [first] = world.wire.requests('/chat/readMessage')
    expect(first).toMatchObject({ position: 'c0-12' })
    world.wire.succeed(first!.uniqueNo)
    await settled()
    expect(world.wire.requests('/chat/readMessage')[1]).toMatchObject({ position: 'c0-13' })
    expect(conversation.unread).toBe(1)
  })

  test('who is named is told so until it is read', async () => {
    const named = (position: string, at: string[]) =>
      world.wire.push('2', { sendUserId: 'bob', receiveUserId: 'ann', groupId: 'g1', messageContent: '@安', receiveDate: '', messageId: position, position, time: Date.now(), atUserIds: at })
    const conversation = chat.conversations.get(inGroup('g1'))
    conversation.open()
    await answer()
    named('c1-1', ['cid'])
    expect(conversation.mentions).toBe(0)
    named('c1-2', ['ann', 'cid'])
    named('c1-3', ['ann'])
    expect(conversation).toMatchObject({ mentions: 2, unread: 3 })
    world.wire.push('12', { change: 'recalled', messagePosition: 'c1-3', sendUserId: 'bob', groupId: 'g1', operatorUserId: 'bob', position: 'c1-4' })
    expect(conversation.mentions).toBe(1)
    void conversation.markRead(2)
    expect(conversation.mentions).toBe(0)
  })
})

describe('edits and recalls', () => {
  const revise = (position: string, messagePosition: string, more: Record<string, unknown>) =>
    world.wire.push('12', { messagePosition, sendUserId: 'bob', receiveUserId: 'ann', operatorUserId: 'bob', date: '', position, time: 1, ...more })

  test('show in the list, and what was recalled is not unread', () => {
    push('c0-11', 'bob', '一')
    push('c0-12', 'bob', '二')
    revise('c0-13', 'c0-12', { change: 'edited', messageContent: '贰' })
    const conversation = chat.conversations.get(bob)
    expect(conversation.preview).toMatchObject({ text: '贰', recalled: false })
    expect(conversation.unread).toBe(2)
    revise('c0-14', 'c0-12', { change: 'recalled' })
    expect(conversation.preview).toMatchObject({ text: '', recalled: true })
    expect(conversation.unread).toBe(1)
    expect(conversation.timeline.rows).toMatchObject([{ text: '一' }, { text: '', recalled: true }])
    world.wire.push('13', { userId: 'ann', peerUserId: 'bob', readPosition: 'c0-10', position: 'u0-1' })
    expect(conversation.unread).toBe(1)
  })

  test('of what was read already count nothing', () => {
    push('c0-11', 'bob', '一')
    push('c0-12', 'bob', '二')
    world.wire.push('13', { userId: 'ann', peerUserId: 'bob', readPosition: 'c0-11', position: 'u0-1' })
    revise('c0-13', 'c0-11', { change: 'recalled' })
    expect(chat.conversations.get(bob)).toMatchObject({ unread: 1, preview: { text: '二' } })
  })

  test('of a list never opened come from the server', async () => {
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.refuseLogin('bad_request')
    world.wire.welcome('c0-10')
    await answer({ ...friends, '/friend/getRecentMessageList': [{ recentId: 'bob', name: '小波', type: '2', lastDate: '', time: 5, content: '', recalled: true, sendUserId: 'bob', total: 1, readPosition: '', position: 'c0-9' }] })
    expect(chat.conversations.get(bob)).toMatchObject({ unread: 1, preview: { offset: 9, text: '', recalled: true } })
  })

  test('pushed while an older page is on its way are not undone by it', async () => {
    const conversation = chat.conversations.get(bob)
    conversation.open()
    const { uniqueNo } = world.wire.requests('/friend/loadMoreMessage')[0]!
    revise('c0-13', 'c0-9', { change: 'recalled' })
    world.wire.succeed(uniqueNo, { list: [{ chatMessageId: 'm9', sendUserId: 'bob', receiveUserId: 'ann', talkDate: '', talkContent: '旧', talkSide: false, position: 'c0-9', time: 1 }] })
    await settled()
    expect(conversation.timeline.rows).toMatchObject([{ text: '', recalled: true }])
  })
})

describe('changing what was said', () => {
  async function said() {
    push('c0-11', 'ann', '一')
    await answer()
    const conversation = chat.conversations.get(bob)
    return { conversation, message: conversation.timeline.rows[0]! }
  }

  test('an edit shows when it is in the log, not before', async () => {
    const { conversation, message } = await said()
    conversation.revising.begin(message)
    conversation.revising.text = '壹'
    void conversation.revising.save()
    void conversation.revising.save()
    await answer()
    expect(sent('/chat/editMessage')).toEqual([{ token: 't', uniqueNo: expect.any(String) as string, position: 'c0-11', messageContent: '壹' }])
    expect(conversation.timeline.rows[0]).toMatchObject({ text: '一', edited: false })
    world.wire.succeed(sent('/chat/editMessage')[0]!.uniqueNo, { position: 'c0-12' })
    await settled()
    expect(conversation.timeline.rows[0]).toMatchObject({ text: '壹', edited: true })
    expect(conversation.revising).toMatchObject({ message: undefined, saving: false })
    expect(conversation.preview).toMatchObject({ text: '壹' })
  })

  test('an edit that was not answered is sent again as the same one after a lost connection', async () => {
    const { conversation, message } = await said()
    conversation.revising.begin(message)
    conversation.revising.text = '壹'
    void conversation.revising.save()
    await answer()
    const { uniqueNo } = sent('/chat/editMessage')[0]!
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.welcome('c0-11')
    world.wire.push('15', { cursor: 'c0-11', complete: true })
    expect(world.wire.requests('/chat/editMessage')).toMatchObject([{ uniqueNo, resend: true, messageContent: '壹' }])
  })

  test('a refused edit stays in hand with its reason; tried again it is the same request, with another text a new one', async () => {
    const { conversation, message } = await said()
    conversation.revising.begin(message)
    for (const text of ['壹', '壹', '弌']) {
      conversation.revising.text = text
      void conversation.revising.save()
      await answer()
      world.wire.fail(sent('/chat/editMessage').at(-1)!.uniqueNo, 'forbidden')
      await settled()
      expect(conversation.revising).toMatchObject({ message, text, failure: 'forbidden', saving: false })
    }
    const [first, second, third] = sent('/chat/editMessage')
    expect(second).toMatchObject({ uniqueNo: first!.uniqueNo, resend: true })
    expect(third!.uniqueNo).not.toBe(first!.uniqueNo)
    expect(conversation.timeline.rows[0]).toMatchObject({ text: '一', edited: false })
    conversation.revising.cancel()
    expect(conversation.revising.failure).toBeUndefined()
  })

  test('a recall takes the text away, and the edit that was being made of it', async () => {
    const { conversation, message } = await said()
    conversation.revising.begin(message)
    const done = conversation.revising.recall(message)
    await answer()
    expect(sent('/chat/recallMessage')).toMatchObject([{ position: 'c0-11' }])
    expect(conversation.timeline.rows[0]).toMatchObject({ text: '一', recalled: false })
    world.wire.succeed(sent('/chat/recallMessage')[0]!.uniqueNo, { position: 'c0-12' })
    await done
    expect(conversation.timeline.rows[0]).toMatchObject({ text: '', recalled: true })
    expect(conversation.revising.message).toBeUndefined()
    expect(conversation.preview).toMatchObject({ recalled: true })
  })

  test('a refused recall changes nothing and says why', async () => {
    const { conversation, message } = await said()
    const done = conversation.revising.recall(message).catch((error: unknown) => error)
    await answer()
    world.wire.fail(sent('/chat/recallMessage')[0]!.uniqueNo, 'forbidden')
    expect(await done).toMatchObject({ reason: 'forbidden' })
    expect(conversation.timeline.rows[0]).toMatchObject({ text: '一', recalled: false })
  })

  test('is offered where the own words are taken: among friends who are not blocked, in own groups unless muted', async () => {
    expect(chat.contacts.speaks(bob)).toBe(true)
    expect(chat.contacts.speaks(withPerson('cid'))).toBe(false)
    expect(chat.contacts.speaks(inGroup('g1'))).toBe(true)
    expect(chat.contacts.speaks(inGroup('g2'))).toBe(false)
    for (const [position, mutedUntil, speaks] of [['c1-1', Date.now() + 60_000, false], ['c1-2', Date.now() - 1, true]] as const) {
      world.wire.push('11', { groupId: 'g1', change: 'muted', userId: 'ann', operatorUserId: 'cid', position })
      await answer({ ...friends, '/group/getGroupList': [{ groupId: 'g1', groupName: '诗社', role: '1', joinMode: '1', memberCount: 3, mutedUntil }] })
      expect(chat.contacts.speaks(inGroup('g1'))).toBe(speaks)
    }
    void chat.contacts.blocked.refresh()
    await answer({ ...friends, '/friend/getBlockedList': [{ userId: 'bob', userNo: 'bob', nickName: '小波' }] })
    expect(chat.contacts.speaks(bob)).toBe(false)
  })
})

describe('answers', () => {
  const row = (offset: number, text: string, more = {}) => ({ chatMessageId: `m${offset}`, sendUserId: 'bob', receiveUserId: 'ann', talkDate: '', talkContent: text, talkSide: false, position: `c0-${offset}`, time: offset, ...more })
  const quoted = (position: string) => chat.conversations.get(bob).quotes.find(position, chat.conversations.get(bob).timeline.rows)

  test('tell what they answer and whom they name', async () => {
    const { draft } = chat.conversations.get(bob)
    push('c0-11', 'bob', '一')
    draft.answers = chat.conversations.get(bob).timeline.rows[0]
    draft.text = '@小波 好，@大卫 不了'
    for (const name of ['小波', '大卫', '走了']) draft.name(name, name)
    await chat.conversations.get(bob).send(draft.take())
    await answer()
    expect(sent('/chat/sendMessage')).toMatchObject([{ messageContent: '@小波 好，@大卫 不了', replyTo: 'c0-11', atUserIds: ['小波', '大卫'] }])
    expect(draft).toMatchObject({ text: '', answers: undefined })
    expect(draft.take()).toEqual({ text: '' })
  })

  test('show what they answer: from the window, else asked for once, revised as it was', async () => {
    const { quotes, timeline } = chat.conversations.get(bob)
    void quotes.want('c0-5', timeline.rows)
    void quotes.want('c0-5', timeline.rows)
    const asked = world.wire.requests('/friend/loadMoreMessage')
    expect(asked).toMatchObject([{ userId: 'bob', before: 'c0-6', limit: 1 }])
    expect(quoted('c0-5')).toBeUndefined()
    world.wire.succeed(asked[0]!.uniqueNo, { list: [row(5, '远')] })
    await settled()
    expect(quoted('c0-5')).toMatchObject({ text: '远' })
    const revision = { messagePosition: 'c0-5', sendUserId: 'bob', receiveUserId: 'ann', operatorUserId: 'bob' }
    world.wire.push('12', { ...revision, change: 'edited', messageContent: '改', position: 'c0-11' })
    expect(quoted('c0-5')).toMatchObject({ text: '改', edited: true })
    world.wire.push('12', { ...revision, change: 'recalled', position: 'c0-12' })
    expect(quoted('c0-5')).toMatchObject({ text: '', recalled: true, changedBy: 'bob' })
  })

  test('to what can’t be seen say so', async () => {
    const { quotes, timeline } = chat.conversations.get(bob)
    void quotes.want('c0-5', timeline.rows)
    world.wire.succeed(world.wire.requests('/friend/loadMoreMessage')[0]!.uniqueNo, { list: [row(4, '别的')] })
    await settled()
    expect(quoted('c0-5')).toBe('unseen')
  })
})

describe('members', () => {
  const row = (userId: string, role = '1') => ({ userId, nickName: userId, role })
  const ids = () => chat.contacts.membersOf('g1')!.rows.map((one) => one.userId)
  const asked = () => world.wire.requests('/group/getGroupUsers')

  test('come page after page, and what changed is asked for alone', async () => {
    const first = Array.from({ length: 200 }, (_, i) => row(`u${String(i).padStart(3, '0')}`))
    chat.contacts.loadMembers('g1')
    await settled()
    world.wire.succeed(asked()[0]!.uniqueNo, { list: first })
    await settled()
    const members = chat.contacts.membersOf('g1')!
    members.loadMore()
    members.loadMore()
    await settled()
    expect(asked()).toMatchObject([{ limit: 200 }, { limit: 200, after: 'u199' }])
    world.wire.succeed(asked()[1]!.uniqueNo, { list: [row('u200')] })
    await settled()
    expect(members).toMatchObject({ more: false })
    expect(ids()).toHaveLength(201)

    const changed = async (change: string, userId: string, list: unknown[], after: string | undefined) => {
      world.wire.push('11', { groupId: 'g1', change, userId, operatorUserId: 'ann', position: `c1-${asked().length}` })
      await settled()
      expect(asked().at(-1)).toMatchObject({ limit: 1, ...(after && { after }) })
      world.wire.succeed(asked().at(-1)!.uniqueNo, { list })
      await settled()
    }
    await changed('quit', 'u003', [row('u004')], 'u002')
    expect(ids()).not.toContain('u003')
    await changed('joined', 'u0035', [row('u0035')], 'u002')
    expect(ids().slice(2, 5)).toEqual(['u002', 'u0035', 'u004'])
    await changed('role', 'u000', [row('u000', '5')], undefined)
    expect(members.rows[0]).toMatchObject({ userId: 'u000', role: '5' })
    await changed('joined', 'v', [row('v')], 'u200')
    expect(ids().at(-1)).toBe('v')
  })

  test('who is asked for may stand behind somebody nobody has told of', async () => {
    chat.contacts.loadMembers('g1')
    await settled()
    world.wire.succeed(asked()[0]!.uniqueNo, { list: [row('dan'), row('xu')] })
    await settled()
    world.wire.push('11', { groupId: 'g1', change: 'role', userId: 'dan', operatorUserId: 'ann', position: 'c1-1' })
    await settled()
    world.wire.succeed(asked()[1]!.uniqueNo, { list: [row('bob')] }) // has joined meanwhile
    await settled()
    expect(asked()[2]).toMatchObject({ after: 'bob', limit: 1 })
    world.wire.succeed(asked()[2]!.uniqueNo, { list: [row('dan', '5')] })
    await settled()
    expect(chat.contacts.membersOf('g1')!.rows).toMatchObject([{ userId: 'bob' }, { userId: 'dan', role: '5' }, { userId: 'xu' }])
  })

  test('who joins while the first page is on its way is not missed', async () => {
    chat.contacts.loadMembers('g1')
    await settled()
    world.wire.push('11', { groupId: 'g1', change: 'joined', userId: 'bob', operatorUserId: 'bob', position: 'c1-1' })
    await settled()
    world.wire.succeed(asked()[0]!.uniqueNo, { list: [row('ann')] }) // read before bob came
    await settled()
    world.wire.succeed(asked()[1]!.uniqueNo, { list: [row('bob')] })
    await settled()
    expect(ids()).toEqual(['ann', 'bob'])
  })
})

describe('search', () => {
  const row = (offset: number, text: string, more = {}) => ({ chatMessageId: `m${offset}`, sendUserId: 'bob', receiveUserId: 'ann', talkDate: '', talkContent: text, talkSide: false, position: `c0-${offset}`, time: offset, ...more })

  test('asks once the writing rests, and never for a text that lishi refuses', async () => {
    for (const text of ['一', '长'.repeat(67), '一二', '一二三']) chat.search.find(text)
    world.pass(249)
    expect(world.wire.requests('/chat/searchMessage')).toEqual([])
    world.pass(1)
    expect(world.wire.requests('/chat/searchMessage')).toMatchObject([{ text: '一二三', limit: 20 }])
    chat.search.find('一')
    expect(chat.search).toMatchObject({ text: '', hits: [] })
  })

  test('gives the conversations of what was found, page after page; an answer to an earlier text is dropped', async () => {
    chat.search.find('旧的')
    world.pass(250)
    const old = world.wire.requests('/chat/searchMessage')[0]!
    chat.search.find('新的')
    world.pass(250)
    const asked = world.wire.requests('/chat/searchMessage')[1]!
    world.wire.succeed(asked.uniqueNo, { list: [row(9, '新的'), row(8, '新的', { sendUserId: 'ann', receiveUserId: 'bob' })], next: 'n1' })
    world.wire.succeed(old.uniqueNo, { list: [row(7, '旧的')], next: 'n0' })
    await settled()
    void chat.search.loadMore()
    const more = world.wire.requests('/chat/searchMessage')[2]!
    expect(more).toMatchObject({ text: '新的', before: 'n1' })
    world.wire.succeed(more.uniqueNo, { list: [row(5, '新的', { receiveUserId: 'g1', groupId: 'g1' })] })
    await settled()
    expect(chat.search.hits.map((hit) => [hit.conversation, hit.message.offset])).toEqual([[bob, 9], [bob, 8], [inGroup('g1'), 5]])
    expect(chat.search.hasMore).toBe(false)
    const revision = { messagePosition: 'c0-9', sendUserId: 'bob', receiveUserId: 'ann', date: '' }
    world.wire.push('12', { ...revision, change: 'edited', messageContent: '改了', position: 'c0-20' })
    expect(chat.search.hits[0]).toMatchObject({ message: { text: '改了' } })
    world.wire.push('12', { ...revision, change: 'recalled', position: 'c0-21' })
    expect(chat.search.hits.map((hit) => hit.message.offset)).toEqual([8, 5])
  })

  test('jumps to a message with what stands around it, whatever page was on its way', async () => {
    const conversation = chat.conversations.get(bob)
    conversation.open()
    const newest = world.wire.requests('/friend/loadMoreMessage')[0]!
    void conversation.jumpTo({ position: 'c0-50', offset: 50 })
    const upTo = world.wire.requests('/friend/loadMoreMessage')[1]!
    expect(upTo).toMatchObject({ userId: 'bob', before: 'c0-51' })
    world.wire.succeed(upTo.uniqueNo, { list: [row(49, '前'), row(50, '中')] })
    await settled()
    const after = world.wire.requests('/friend/loadMoreMessage')[2]!
    expect(after).toMatchObject({ after: 'c0-50' })
    world.wire.succeed(after.uniqueNo, { list: [row(51, '后')] })
    world.wire.succeed(newest.uniqueNo, { list: [row(900, '最新')] })
    await settled()
    expect(conversation.timeline.rows.map((one) => one.offset)).toEqual([49, 50, 51])
    expect(conversation).toMatchObject({ target: 50, loading: undefined })
  })
})

describe('sending', () => {
  const outgoing = () => chat.conversations.get(bob).timeline.outgoing

  test('is shown at once, and as sent only when it is in the log', async () => {
    await chat.conversations.get(bob).send({ text: '  你好 ' })
    expect(outgoing()).toMatchObject([{ text: '  你好 ', failure: undefined }])
    await answer()
    const [params] = sent('/chat/sendMessage')
    expect(params).toMatchObject({ receiveUserId: 'bob', messageContent: '  你好 ' })
    world.wire.succeed(params!.uniqueNo, { position: 'c0-11', messageId: 'm', time: 5 })
    await settled()
    expect(outgoing()).toEqual([])
    expect(chat.conversations.get(bob).timeline.rows).toMatchObject([{ id: 'm', position: 'c0-11', sender: 'ann', text: '  你好 ', time: 5 }])
  })

  async function refuse(reason: string): Promise<unknown> {
    await chat.conversations.get(bob).send({ text: '你好' })
    await answer()
    const { uniqueNo } = sent('/chat/sendMessage').at(-1)!
    world.wire.fail(uniqueNo, reason)
    await settled()
    expect(outgoing()).toMatchObject([{ failure: { reason } }])
    chat.conversations.get(bob).sendAgain(outgoing()[0]!)
    await answer()
    return uniqueNo
  }

  test('again after a refusal that left nothing is the same request', async () => {
    const uniqueNo = await refuse('too_long')
    expect(sent('/chat/sendMessage').at(-1)).toMatchObject({ uniqueNo, resend: true, messageContent: '你好' })
  })

  test('again after a refusal that may stand in the log is a new one', async () => {
    const uniqueNo = await refuse('not_friend')
    expect(sent('/chat/sendMessage').at(-1)!.uniqueNo).not.toBe(uniqueNo)
    expect(sent('/chat/sendMessage').at(-1)).not.toHaveProperty('resend')
  })

  test('survives a reload of the page, as the same request', async () => {
    await chat.conversations.get(bob).send({ text: '别丢' })
    await answer()
    const { uniqueNo } = sent('/chat/sendMessage')[0]!
    chat.client.start = () => {} // the old page is gone, unasked
    start()
    await answer()
    expect(sent('/chat/sendMessage')).toMatchObject([{ uniqueNo, resend: true, messageContent: '别丢' }])
    world.wire.succeed(uniqueNo, { position: 'c0-11', messageId: 'm' })
    await settled()
    start()
    await answer()
    expect(sent('/chat/sendMessage')).toEqual([])
  })

  test('a refusal survives a reload too, until somebody decides', async () => {
    await refuse('too_long')
    world.wire.fail(sent('/chat/sendMessage').at(-1)!.uniqueNo, 'too_long')
    await settled()
    start()
    await answer()
    expect(outgoing()).toMatchObject([{ text: '你好', failure: { reason: 'too_long' } }])
    chat.conversations.get(bob).discard(outgoing()[0]!)
    start()
    await answer()
    expect(outgoing()).toEqual([])
  })

  test('the message of a window that is gone, answered here, is shown', () => {
    const kept = { uniqueNo: 'n', url: '/chat/sendMessage', params: { receiveUserId: 'bob', messageContent: '在吗' }, at: 1 }
    chat.conversations.settled({ ...kept, result: { uniqueNo: 'n', position: 'c0-11', messageId: 'm', time: 5 } })
    expect(chat.conversations.get(bob).timeline.rows).toMatchObject([{ id: 'm', text: '在吗', sender: 'ann' }])
    chat.conversations.settled({ ...kept, uniqueNo: 'o', error: new RequestError('blocked', '', 'o') })
    expect(outgoing()).toMatchObject([{ uniqueNo: 'o', failure: { reason: 'blocked' } }])
    chat.conversations.settled({ ...kept, url: '/friend/applyFriend', error: new RequestError('blocked', '', 'p') })
    expect(outgoing()).toHaveLength(1)
  })
})

describe('pushes', () => {
  test('what makes a list stale has it asked for again, and is told', async () => {
    world.wire.push('3', { applyFriendId: 'a1', applyUserId: 'cid', applyNickName: '希德', note: '是我', applyDate: '', targetUserId: 'ann', position: 'c0-11' })
    await answer({ '/friend/getApplyFriendList': [{ applyFriendId: 'a1', applyUserId: 'cid', applyNickName: '希德', note: '是我', applyDate: '', applyState: '1', receiveUserId: 'ann' }] })
    expect(chat.contacts.waiting).toBe(1)
    expect(chat.notices.list.map((notice) => notice.text).join()).toContain('希德')
  })

  test('without a resume everything is asked for again, so that no gap stays', async () => {
    const conversation = chat.conversations.get(bob)
    conversation.open()
    await answer({ '/friend/loadMoreMessage': [{ chatMessageId: 'm1', sendUserId: 'bob', receiveUserId: 'ann', talkDate: '', talkContent: '旧', talkSide: false, position: 'c0-9', time: 1 }] })
    expect(conversation.timeline.rows).toHaveLength(1)
    world.wire.onClose(1006)
    world.pass(1_000)
    world.wire.onOpen()
    world.wire.refuseLogin('bad_request')
    world.wire.welcome('c0-3')
    expect(conversation.timeline).toMatchObject({ rows: [], loaded: false })
  })
})

describe('identity', () => {
  const token = `x.${btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify({ sub: 'daiyu', name: '林黛玉' })))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}.y`

  test('is read from a token', () => {
    expect(personOf(` ${token}\n`)).toEqual({ userId: 'daiyu', nickName: '林黛玉', token })
    for (const text of ['', 'x.y', 'x.y.z', `x.${btoa('{}')}.y`]) expect(personOf(text)).toBeUndefined()
  })

  test('a link’s token is taken out of the address and kept for this window', () => {
    history.replaceState(null, '', `/#token=${token}`)
    expect(rememberedPerson()).toMatchObject({ userId: 'daiyu' })
    expect(location.hash).toBe('')
    expect(rememberedPerson()).toMatchObject({ userId: 'daiyu' })
  })
})
