import { describe, expect, test } from 'vitest'
import * as timelines from './timeline'
import { atNewest, emptyTimeline, windowSize, type Message, type Timeline } from './timeline'

const row = (offset: number, text = `第${offset}句`, sender = 'bob'): Message => ({ id: `m${offset}`, position: `c0-${offset}`, offset, sender, text, time: offset, recalled: false, edited: false })
const rows = (from: number, to: number): Message[] => Array.from({ length: to - from + 1 }, (_, i) => row(from + i))
const offsets = (timeline: Timeline): number[] => timeline.rows.map((one) => one.offset)
const range = (from: number, to: number): number[] => rows(from, to).map((one) => one.offset)
const opened = (from: number, to: number): Timeline => timelines.loadNewest(emptyTimeline, rows(from, to), 50)

describe('what is pushed', () => {
  test('stands in log order, once, whatever comes first', () => {
    let timeline = opened(10, 12)
    for (const offset of [15, 13, 15, 11]) timeline = timelines.receive(timeline, row(offset))
    expect(offsets(timeline)).toEqual([10, 11, 12, 13, 15])
  })

  test('before the first page is joined with it', () => {
    const timeline = timelines.loadNewest(timelines.receive(emptyTimeline, row(60)), rows(11, 60), 50)
    expect(offsets(timeline)).toEqual(range(11, 60))
    expect(timeline.atOldest).toBe(false)
  })

  test('and older than the window is left to its page', () => {
    const timeline = timelines.receive(opened(51, 100), row(7))
    expect(offsets(timeline)).toEqual(range(51, 100))
  })
})

describe('edits and recalls', () => {
  const edit = (offset: number, text: string) => ({ change: 'edited', offset, sender: 'bob', text }) as const
  const recall = (offset: number) => ({ change: 'recalled', offset, sender: 'bob' }) as const

  test('stand at the message’s place', () => {
    const timeline = timelines.revise(timelines.revise(opened(1, 3), edit(2, '改')), recall(3))
    expect(timeline.rows).toEqual([row(1), { ...row(2), text: '改', edited: true }, { ...row(3), text: '', recalled: true }])
  })

  test('what was recalled has no text any more, whatever comes later', () => {
    let timeline = timelines.revise(timelines.revise(opened(1, 3), edit(2, '改')), recall(2))
    const recalled = timeline.rows[1]
    expect(recalled).toEqual({ ...row(2), text: '', recalled: true })
    timeline = timelines.receive(timelines.revise(timeline, edit(2, '又改')), row(2))
    expect(timeline.rows[1]).toEqual(recalled)
  })

  test('of what is not in the window change nothing', () => {
    const timeline = opened(51, 60)
    expect(timelines.revise(timeline, recall(7))).toBe(timeline)
  })

  test('come with history’s rows', () => {
    const read = { chatMessageId: 'm7', sendUserId: 'bob', receiveUserId: 'ann', talkDate: '', talkContent: '改', talkSide: false, position: 'c0-7', time: 7 }
    expect(timelines.fromHistory({ ...read, edited: true })).toMatchObject({ text: '改', edited: true, recalled: false })
    expect(timelines.fromHistory({ ...read, talkContent: '', edited: true, recalled: true })).toMatchObject({ text: '', edited: false, recalled: true })
  })
})

describe('sending', () => {
  const outgoing = { uniqueNo: 'n1', text: '在吗', time: 1, failure: undefined }

  test('a message goes from under way to the log, once', () => {
    let timeline = timelines.depart(opened(1, 3), outgoing)
    expect(timeline.outgoing).toEqual([outgoing])
    timeline = timelines.acknowledge(timeline, 'n1', row(4, '在吗', 'ann'))
    expect(timeline.outgoing).toEqual([])
    expect(offsets(timeline)).toEqual([1, 2, 3, 4])
  })

  test('the own push of a backlog and the answer to the repeat are one message', () => {
    let timeline = timelines.depart(opened(1, 3), outgoing)
    timeline = timelines.receive(timeline, row(4, '在吗', 'ann'))
    timeline = timelines.acknowledge(timeline, 'n1', row(4, '在吗', 'ann'))
    expect(offsets(timeline)).toEqual([1, 2, 3, 4])
    expect(timeline.outgoing).toEqual([])
  })

  test('a failure keeps it, with its reason, until it is sent again or discarded', () => {
    let timeline = timelines.fail(timelines.depart(opened(1, 3), outgoing), 'n1', 'not_friend', 'x')
    expect(timeline.outgoing).toEqual([{ ...outgoing, failure: { reason: 'not_friend', detail: 'x' } }])
    timeline = timelines.depart(timeline, outgoing)
    expect(timeline.outgoing).toEqual([outgoing])
    expect(timelines.discard(timeline, 'n1').outgoing).toEqual([])
  })

  test('beginning anew keeps what is under way', () => {
    const timeline = timelines.forget(timelines.depart(opened(1, 3), outgoing))
    expect(timeline.rows).toEqual([])
    expect(timeline.loaded).toBe(false)
    expect(timeline.outgoing).toEqual([outgoing])
  })
})

describe('pages', () => {
  test('a short newest page is all there is', () => {
    expect(opened(1, 49).atOldest).toBe(true)
    expect(opened(1, 50).atOldest).toBe(false)
  })

  test('older ones come before, until a short one', () => {
    let timeline = timelines.loadOlder(opened(101, 150), 'c0-101', rows(51, 100), 50)
    expect(offsets(timeline)).toEqual(range(51, 150))
    timeline = timelines.loadOlder(timeline, 'c0-51', rows(40, 50), 50)
    expect(timeline.atOldest).toBe(true)
  })

  test('a page whose place the window has left makes no gap', () => {
    const timeline = opened(101, 150)
    expect(timelines.loadOlder(timeline, 'c0-90', rows(40, 89), 50)).toBe(timeline)
    expect(timelines.loadNewer(timeline, 'c0-90', rows(91, 100), 150)).toBe(timeline)
  })

  test('the window slides: up and down again without gap or repeat', () => {
    const newest = 1000
    let timeline = opened(newest - 49, newest)
    while (!timeline.atOldest) {
      const first = timeline.rows[0]!
      timeline = timelines.loadOlder(timeline, first.position, rows(Math.max(1, first.offset - 50), first.offset - 1), 50)
      expect(timeline.rows.length).toBeLessThanOrEqual(windowSize)
    }
    expect(offsets(timeline)).toEqual(range(1, windowSize))
    expect(atNewest(timeline)).toBe(false)
    timeline = timelines.receive(timeline, row(newest + 1)) // somebody writes meanwhile
    expect(offsets(timeline)).toEqual(range(1, windowSize))
    while (!atNewest(timeline)) {
      const last = timeline.rows.at(-1)!
      timeline = timelines.loadNewer(timeline, last.position, rows(last.offset + 1, Math.min(newest + 1, last.offset + 50)), timeline.newest)
    }
    expect(offsets(timeline)).toEqual(range(newest + 2 - windowSize, newest + 1))
  })

  test('what comes while an empty newer page is on its way is not taken for absent', () => {
    let timeline: Timeline = { ...opened(1, 3), newest: 5 }
    const asked = timeline.newest
    timeline = timelines.receive(timeline, row(9))
    timeline = timelines.loadNewer(timeline, 'c0-3', [], asked)
    expect(atNewest(timeline)).toBe(false)
    expect(atNewest(timelines.loadNewer(timeline, 'c0-3', [], timeline.newest))).toBe(true)
  })

  test('around a message: reached down from there without gap, or at the end already', () => {
    let timeline = timelines.loadAround(emptyTimeline, rows(71, 100), rows(101, 130), 30)
    expect(offsets(timeline)).toEqual(range(71, 130))
    expect([timeline.atOldest, atNewest(timeline)]).toEqual([false, false])
    timeline = timelines.receive(timeline, row(200)) // not next to the window
    expect(offsets(timeline)).toEqual(range(71, 130))
    expect(atNewest(timelines.loadNewer({ ...timeline, newest: 131 }, 'c0-130', [], 131))).toBe(true)
    timeline = timelines.loadAround(emptyTimeline, rows(1, 3), rows(4, 5), 30)
    expect([timeline.atOldest, atNewest(timeline)]).toEqual([true, true])
  })

  test('who reads far up keeps the place while others write', () => {
    let timeline: Timeline = { ...opened(1, 50), rows: rows(1, windowSize), newest: windowSize }
    timeline = timelines.receive(timeline, row(windowSize + 1), false)
    expect(offsets(timeline)).toEqual(range(1, windowSize))
    expect(atNewest(timeline)).toBe(false)
  })
})

test('a row of history and a push of the same message are the same', () => {
  const time = 1_700_000_000_000
  const pushed = timelines.fromPush({ sendUserId: 'bob', receiveUserId: 'ann', messageContent: '  嗨\n', receiveDate: '2023-11-15 06:13:20', messageId: 'm7', position: 'c0-7', time })
  const read = timelines.fromHistory({ chatMessageId: 'm7', sendUserId: 'bob', receiveUserId: 'ann', talkDate: '2023-11-15 06:13:20', talkContent: '  嗨\n', talkSide: false, position: 'c0-7', time })
  expect(read).toEqual(pushed)
  expect(read.text).toBe('  嗨\n')
})

test('a date stands in for a time that is missing', () => {
  expect(timelines.timeOf(undefined, '2020-07-02 08:00:01')).toBe(new Date(2020, 6, 2, 8, 0, 1).getTime())
  expect(timelines.timeOf(undefined, 'some day')).toBe(0)
  expect(timelines.timeOf(5, '2020-07-02 08:00:01')).toBe(5)
})
