const longest = 30 // characters of a name that is being looked for

/** The name being written after an @ right before the caret: where the @ stands, and what follows it. */
export function mentionAt(text: string, caret: number): { at: number; wanted: string } | undefined {
  const at = text.lastIndexOf('@', caret - 1)
  if (at < 0) return undefined
  const wanted = text.slice(at + 1, caret)
  // An address like a@b.c names nobody; neither does what is far behind.
  if (/[\s@]/.test(wanted) || wanted.length > longest || /[\w.]$/.test(text.slice(0, at))) return undefined
  return { at, wanted }
}

/** Those whom a text before the caret may mean: names that begin so first, then those that hold it. */
export function candidates<T extends { names: readonly string[] }>(people: readonly T[], wanted: string, most: number): T[] {
  const low = wanted.toLowerCase()
  const rank = ({ names }: T): number => Math.min(...names.map((name) => (name.toLowerCase().startsWith(low) ? 0 : name.toLowerCase().includes(low) ? 1 : 2)))
  const found = people.map((one) => ({ one, rank: rank(one) })).filter((row) => row.rank < 2)
  return [...found.filter((row) => row.rank === 0), ...found.filter((row) => row.rank === 1)].slice(0, most).map((row) => row.one)
}
