// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import type { Texts } from '../i18n.svelte'
import { pages } from '../shell/pages'

const dictionaries = import.meta.glob<Texts>('../**/texts.ts', { import: 'say', eager: true })
const sources = import.meta.glob<string>(['../**/*.{svelte,ts}', '!../**/texts.ts', '!../**/*.test.ts'], { query: '?raw', import: 'default', eager: true })
const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort()

describe('the dictionaries of the console', () => {
  test('are there: the frame’s and the pages’', () => {
    expect(Object.keys(dictionaries)).toContain('../shell/texts.ts')
    expect(Object.keys(dictionaries).length).toBeGreaterThan(1)
  })

  for (const [path, { zh, en }] of Object.entries(dictionaries)) {
    test(`${path}: the same keys and placeholders, no empty text, and none that nobody uses`, () => {
      expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort())
      for (const [key, chinese] of Object.entries(zh)) {
        expect([key, placeholders(en[key]!)]).toEqual([key, placeholders(chinese)])
        expect(chinese.trim() && en[key]!.trim(), key).not.toBe('')
      }
      // A page's texts are used in its folder, the frame's anywhere.
      const folder = path === '../shell/texts.ts' ? '../' : path.slice(0, path.lastIndexOf('/') + 1)
      const text = Object.entries(sources).filter(([file]) => file.startsWith(folder)).map(([, source]) => source).join('\n')
      const built = [...text.matchAll(/`(\w+_)\$\{/g)].map((match) => match[1]!)
      const unused = Object.keys(zh).filter((key) => !built.some((prefix) => key.startsWith(prefix)) && !text.includes(`'${key}'`))
      expect(unused).toEqual([])
    })
  }
})

describe('the pages', () => {
  test('have ids, keys and places of their own, and the texts of both languages', () => {
    for (const field of ['id', 'key', 'order'] as const) {
      const values = pages.map((page) => page[field])
      expect([...new Set(values)]).toEqual(values)
    }
    for (const { id, title, key } of pages) {
      expect(title.zh && title.en, id).toBeTruthy()
      expect(key, id).toMatch(/^[a-z]$/)
    }
  })

  test('stand in folders of their names', () => {
    expect(Object.keys(import.meta.glob('../pages/*/page.ts')).map((path) => path.split('/').at(-2)).sort()).toEqual(pages.map(({ id }) => id).sort())
  })
})
