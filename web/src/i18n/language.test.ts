// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { fill, preferredLanguage, t, tongue } from './language.svelte'

test('the language is the one chosen, or else the browser’s', () => {
  expect(preferredLanguage(null, 'zh-TW')).toBe('zh-CN')
  expect(preferredLanguage(null, 'ZH')).toBe('zh-CN')
  expect(preferredLanguage(null, 'fr')).toBe('en')
  expect(preferredLanguage('en', 'zh-CN')).toBe('en')
  expect(preferredLanguage('tlh', 'zh-CN')).toBe('zh-CN')
})

test('values are put in as they are', () => {
  expect(fill('{name} → {name}, {other}', { name: '$& {x}' })).toBe('$& {x} → $& {x}, {other}')
})

test('a choice holds and is kept', async () => {
  await tongue.choose('zh-CN')
  expect(t('bePerson', { name: '林黛玉' })).toBe('以林黛玉的身份进入')
  await tongue.choose('en')
  expect(t('bePerson', { name: '林黛玉' })).toBe('Be 林黛玉')
  expect(localStorage.getItem('lishi.language')).toBe('en')
})
