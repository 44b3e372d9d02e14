/** A stream, as /api/streams finds it. */
export interface Found {
  stream: string
  kind: 'pair' | 'group' | 'user'
  names: string[]
  members?: number
  deleted?: boolean
  last?: string
  at?: string
}

/** What a stream is called: where nobody named it, its id. */
export function namesOf({ stream, names }: Pick<Found, 'stream' | 'names'>): string {
  const ids = stream.split('|').slice(1).map(unescape)
  return ids.map((id, i) => names[i] || id).join(' – ')
}

// | and % in ids are percent-escaped in keys.
function unescape(id: string): string {
  return id.replaceAll('%7C', '|').replaceAll('%25', '%')
}
