import { expect, test } from 'vitest'
import type { Message } from '../protocol/timeline'
import { actionsOn, recallWindow, type Action, type Standing } from './actions'

const said = (sender: string, recalled = false): Message => ({ id: 'm', position: 'c0-1', offset: 1, sender, text: '一', time: 1_000, recalled, edited: false })
const friend: Standing = { me: 'ann', speaks: true, manages: false }
const owner: Standing = { ...friend, manages: true }
const soon = 1_000 + recallWindow
const late = soon + 1

test.each<[string, Message, Standing, number, Action[]]>([
  ['the own one', said('ann'), friend, soon, ['edit', 'recall']],
  ['the own one when the time is over', said('ann'), friend, late, ['edit']],
  ['another’s', said('bob'), friend, soon, []],
  ['the own one that was recalled', said('ann', true), friend, soon, []],
  ['the own one, by who may not write any more', said('ann'), { ...friend, speaks: false }, soon, []],
  ['another’s, by who manages the group', said('bob'), owner, late, ['recall']],
  ['the own one, by who manages the group', said('ann'), owner, late, ['edit', 'recall']],
  ['another’s that was recalled, by who manages the group', said('bob', true), owner, late, []],
  ['another’s, by a manager who is muted', said('bob'), { ...owner, speaks: false }, late, []],
])('%s', (_name, message, standing, now, actions) => expect(actionsOn(message, standing, now)).toEqual(actions))
