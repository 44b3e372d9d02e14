import { describe, expect, test } from 'vitest'
import { Cursor, offsetOf, parsePosition, positionAfter } from '../src/position.ts'

describe('positions', () => {
  test.each([
    ['c3-182736', { prefix: 'c3', offset: 182736 }],
    ['u0-0', { prefix: 'u0', offset: 0 }],
    ['c12-9007199254740991', { prefix: 'c12', offset: 9007199254740991 }],
  ])('%s', (text, position) => expect(parsePosition(text)).toEqual(position))

  test.each(['', 'c3', 'c3-', '3-1', 'c-1', 'c3--1', 'c3-1x', 'c3-1,u0-2', 'c3-9007199254740993', undefined])('%s is none', (text) => {
    expect(parsePosition(text)).toBeUndefined()
    expect(offsetOf(text)).toBe(-1)
  })
})

describe('a cursor', () => {
  test('keeps the greatest position of each prefix, whatever the order', () => {
    const cursor = Cursor.parse('c0-17,c1-0,u0-4')
    for (const position of ['c1-5', 'c0-16', 'c1-3', 'u0-4', 'c10-2', undefined, 'nonsense']) cursor.advance(position)
    expect(cursor.toString()).toBe('c0-17,c1-5,c10-2,u0-4')
  })

  test('compares offsets as numbers, not as texts', () => {
    const cursor = Cursor.parse('c0-9')
    cursor.advance('c0-10')
    expect(cursor.toString()).toBe('c0-10')
  })

  test('merging another one never goes back', () => {
    const cursor = Cursor.parse('c0-5,u0-9')
    cursor.merge('c0-7,u0-1,c2-3')
    expect(cursor.toString()).toBe('c0-7,c2-3,u0-9')
  })

  test('an empty one says so', () => {
    expect(Cursor.parse('').empty).toBe(true)
    expect(Cursor.parse('c0-0').empty).toBe(false)
  })
})

test('the position right after another keeps the prefix', () => {
  expect(positionAfter('c1-9')).toBe('c1-10')
  expect(positionAfter('no position')).toBe('no position')
})
