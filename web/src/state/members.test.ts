import { expect, test } from 'vitest'
import { before } from './members.svelte'

test('user ids stand in the order of their bytes', () => {
  const sorted = ['', '1', '10', '2', 'A', 'a', 'ab', 'b', 'é', '中', '\uffee', '😀']
  for (const [i, a] of sorted.entries()) for (const [j, b] of sorted.entries()) expect(before(a, b), `${a} before ${b}`).toBe(i < j)
  const bytes = (text: string): string => [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  expect(sorted.map(bytes)).toEqual(sorted.map(bytes).sort())
})
