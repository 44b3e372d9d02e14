const lead = 12 // characters kept in sight before what was found

/** A text around the first place where the wanted one stands in it, whatever the case. */
export function excerptOf(text: string, wanted: string): { before: string; match: string; after: string } {
  const line = text.replace(/\s/g, ' ')
  const at = line.toLowerCase().indexOf(wanted.toLowerCase().replace(/\s/g, ' '))
  // Where lower case has another length, or folds otherwise on the server, nothing is marked.
  if (at < 0 || line.toLowerCase().length !== line.length) return { before: line, match: '', after: '' }
  const end = at + wanted.length
  const head = [...line.slice(0, at)]
  const before = head.length > lead ? `…${head.slice(-lead).join('')}` : head.join('')
  return { before, match: line.slice(at, end), after: line.slice(end) }
}
