import { expect, test } from 'vitest'
import type { Message } from '../protocol/timeline'
import { actionsOn, type Action, type Standing } from './actions'

const said = (sender: string, recalled = false): Message => ({ id: 'm', position: 'c0-1', offset: 1, sender, text: '一', time: 1_000, recalled, edited: false })
const recallWindow = 30_000
const friend: Standing = { me: 'ann', speaks: true, manages: false, recallWindow, copies: false }
const owner: Standing = { ...friend, manages: true }
const late = 1_000 + recallWindow
const soon = late - 1

test.each<[string, Message, Standing, number, Action[]]>([
  ['the own one', said('ann'), friend, soon, ['reply', 'edit', 'recall']],
  ['the own one when the time is over', said('ann'), friend, late, ['reply', 'edit']],
  ['the own one where nothing can be recalled', said('ann'), { ...friend, recallWindow: 0 }, 1_000, ['reply', 'edit']],
  ['another’s', said('bob'), friend, soon, ['reply']],
  ['another’s, where the clipboard is open', said('bob'), { ...friend, copies: true }, soon, ['reply', 'copy']],
  ['the own one that was recalled', said('ann', true), { ...friend, copies: true }, soon, []],
  ['the own one, by who may not write any more', said('ann'), { ...friend, speaks: false, copies: true }, soon, ['copy']],
  ['another’s, by who manages the group', said('bob'), owner, late, ['reply', 'recall']],
  ['the own one, by who manages the group', said('ann'), owner, late, ['reply', 'edit', 'recall']],
  ['another’s that was recalled, by who manages the group', said('bob', true), owner, late, []],
  ['another’s, by a manager who is muted', said('bob'), { ...owner, speaks: false }, late, []],
])('%s', (_name, message, standing, now, actions) => expect(actionsOn(message, standing, now)).toEqual(actions))
