// Who uses this window. The token stays in sessionStorage, so every window or
// tab can be somebody else, and a reload keeps the person.

const storageKey = 'lishi.token'

export interface Person {
  userId: string
  nickName: string
  token: string
}

/** Reads whom a token is for. It does not check the token: that is the server's part. */
export function personOf(token: string): Person | undefined {
  const parts = token.trim().split('.')
  if (parts.length !== 3) return undefined
  try {
    const bytes = Uint8Array.from(atob(parts[1]!.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; name?: unknown }
    if (typeof claims.sub !== 'string' || claims.sub === '') return undefined
    const nickName = typeof claims.name === 'string' && claims.name !== '' ? claims.name : claims.sub
    return { userId: claims.sub, nickName, token: token.trim() }
  } catch {
    return undefined
  }
}

/** The token that came with a link (#token=…), which is taken out of the address, or the one kept. */
export function rememberedPerson(): Person | undefined {
  const linked = /^#token=(.+)$/.exec(location.hash)?.[1]
  if (linked !== undefined) {
    history.replaceState(null, '', location.pathname + location.search)
    const person = personOf(decodeURIComponent(linked))
    if (person) remember(person)
    return person
  }
  const kept = sessionStorage.getItem(storageKey)
  return kept === null ? undefined : personOf(kept)
}

export function remember(person: Person): void {
  sessionStorage.setItem(storageKey, person.token)
}

export function forgetPerson(): void {
  sessionStorage.removeItem(storageKey)
}

/** The demo's people; none where the server is no demo. */
export async function demoPeople(): Promise<Person[]> {
  try {
    const answer = await fetch('demo/people', { headers: { Accept: 'application/json' } })
    if (!answer.ok) return []
    const rows = (await answer.json()) as unknown
    return Array.isArray(rows) ? rows.filter(isPerson) : []
  } catch {
    return []
  }
}

function isPerson(row: unknown): row is Person {
  const person = row as Partial<Person> | null
  return typeof person?.userId === 'string' && typeof person.nickName === 'string' && typeof person.token === 'string'
}
