// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { momentIn } from './chart'
import { read } from './history.svelte'
import { isNumber, isTime, mentioned, parameters, plain, search, type View } from './schema'

const views: View[] = [
  { name: 'messages', comment: 'Every message once', columns: [{ name: 'said', type: "DateTime64(3, 'UTC')", comment: 'when' }] },
  { name: 'users', comment: 'Who is registered', columns: [{ name: 'nickname', type: 'String', comment: 'how they are called' }] },
]

describe('the schema', () => {
  test('is found by the words of names, columns and comments', () => {
    expect(search(views, ' CALLED  how ').map(({ name }) => name)).toEqual(['users'])
    expect(search(views, '')).toEqual(views)
    expect(search(views, 'message registered')).toEqual([])
  })

  test('knows which views a statement names', () => {
    expect(mentioned(views, 'select 1 from messages as m join  users2').map(({ name }) => name)).toEqual(['messages'])
  })

  test('types', () => {
    expect(plain('LowCardinality(Nullable(String))')).toBe('String')
    expect(['UInt64', 'Nullable(Float64)', 'Decimal(9, 2)', 'Int8'].every(isNumber)).toBe(true)
    expect(['Date', "Nullable(DateTime64(3, 'UTC'))"].every(isTime)).toBe(true)
    expect(['String', 'Array(UInt8)', 'Interval'].some((type) => isNumber(type) || isTime(type))).toBe(false)
  })
})

test('parameters are found, once each, but not in comments and strings', () => {
  const statement = "SELECT {a:String}, '{b:String}', {c : Array(UInt64)} -- {d:String}\nFROM x /* {e:String} */ WHERE {a:String} = 'it''s \\' {f:Int8}' AND {t:DateTime64(3, 'UTC')} > 0"
  expect(parameters(statement)).toEqual([
    { name: 'a', type: 'String' },
    { name: 'c', type: 'Array(UInt64)' },
    { name: 't', type: "DateTime64(3, 'UTC')" },
  ])
})

test('moments as ClickHouse writes them', () => {
  expect(momentIn('2026-11-23')).toBe(Date.UTC(2026, 10, 23))
  expect(momentIn('2026-11-23 01:02:03')).toBe(Date.UTC(2026, 10, 23, 1, 2, 3))
  expect(momentIn('2026-11-23 01:02:03.456789')).toBe(Date.UTC(2026, 10, 23, 1, 2, 3, 456))
  expect(momentIn('2026-11-23T01:02:03.400Z')).toBe(Date.UTC(2026, 10, 23, 1, 2, 3, 400))
  expect(momentIn('yesterday')).toBeNaN()
})

test('a history that is damaged is an empty one', () => {
  expect(read('{')).toEqual([])
  expect(read('[1, {"sql": "SELECT 1", "at": 1, "rows": 1, "ms": 2}, {"sql": 3}]')).toEqual([{ sql: 'SELECT 1', at: 1, rows: 1, ms: 2 }])
})
