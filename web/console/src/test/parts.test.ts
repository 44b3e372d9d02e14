// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { tongue } from '../i18n.svelte'
import { typeText } from '../parts/events'
import { csv, json, type Column } from '../parts/table'
import { linesOf } from '../shell/api'
import { linkedToken } from '../shell/session.svelte'
import { Shortcuts } from '../shell/shortcuts'

interface Row {
  name: string
  count: number | null
}
const columns: Column<Row>[] = [
  { key: 'name', label: 'Name', value: (row) => row.name },
  { key: 'count', label: 'Count', value: (row) => row.count, show: () => 'many' },
]

describe('downloads', () => {
  test('quote what CSV needs quoted, and formulas', () => {
    const rows = [{ name: 'a,"b"\nc', count: -1 }, { name: '=1+1', count: null }, { name: '林黛玉', count: 0 }]
    expect(csv(columns, rows)).toBe('name,count\r\n"a,""b""\nc",-1\r\n\'=1+1,\r\n林黛玉,0\r\n')
  })

  test('are the values, not what is shown', () => {
    expect(JSON.parse(json(columns, [{ name: 'x', count: null }, { name: 'y', count: 2 }]))).toEqual([{ name: 'x', count: null }, { name: 'y', count: 2 }])
  })
})

test('lines are put together however they are cut', async () => {
  const text = '{"a":"史"}\n{"b":2}\n\n{"c":3}'
  const whole = new TextEncoder().encode(text)
  for (let size = 1; size <= whole.length; size++) {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < whole.length; at += size) controller.enqueue(whole.slice(at, at + size))
        controller.close()
      },
    })
    const lines: string[] = []
    for await (const line of linesOf(stream)) lines.push(line)
    expect(lines).toEqual(['{"a":"史"}', '{"b":2}', '{"c":3}'])
  }
})

test('a link brings a token, a page does not', () => {
  expect(linkedToken('#token=a.b.c')).toBe('a.b.c')
  expect(linkedToken('#/explorer?token=x')).toBeUndefined()
})

describe('shortcuts', () => {
  const done: string[] = []
  const shortcuts = new Shortcuts((key) => key === 'o' && (done.push('open'), true), { '/': () => void done.push('search') })
  const press = (key: string, timeStamp: number, more: object = {}): boolean =>
    shortcuts.press({ key, timeStamp, ctrlKey: false, metaKey: false, altKey: false, isComposing: false, target: null, ...more })

  test('two keys within a while, one alone, and none with Ctrl', () => {
    expect([press('g', 0), press('o', 1000)]).toEqual([true, true])
    expect([press('g', 5000), press('o', 9000)]).toEqual([true, false])
    expect([press('/', 10_000), press('/', 11_000, { ctrlKey: true }), press('x', 12_000)]).toEqual([true, false, false])
    expect(done).toEqual(['open', 'search'])
  })
})

describe('the types of events', () => {
  test('have words in Chinese, each that there is', () => {
    const types = Object.keys(import.meta.glob('../../../../docs/events/*.v1.json')).map((path) => path.split('/').at(-1)!.replace('.v1.json', ''))
    expect(types.length).toBeGreaterThan(20)
    tongue.choose('zh-CN')
    for (const type of types) expect(typeText(type), type).toMatch(/^[\u4e00-\u9fff]+$/)
    tongue.choose('en')
    for (const type of types) expect(typeText(type)).toBe(type)
    expect(typeText('message.sung')).toBe('message.sung')
  })
})
