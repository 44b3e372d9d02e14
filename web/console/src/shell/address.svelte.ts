// The address is the state: which page, and all of its filters, so that a link
// shows another person the same. #/explorer?stream=p%7Ca%7Cb&from=-24h

export type Filters = Record<string, string | number | boolean | undefined | null>

export interface Place {
  page: string
  params: URLSearchParams
}

export function readPlace(hash: string): Place {
  const [path = '', query = ''] = (/^#\/(.*)$/.exec(hash)?.[1] ?? '').split('?', 2)
  return { page: path.split('/')[0] ?? '', params: new URLSearchParams(query) }
}

/** What every page keeps when one goes from one to another. */
const kept = ['from', 'to', 'zone']

class Address {
  private place = $state.raw<Place>(readPlace(location.hash))

  constructor() {
    addEventListener('hashchange', () => (this.place = readPlace(location.hash)))
  }

  get page(): string {
    return this.place.page
  }

  /** A filter of this page; '' if it is not set. */
  get(name: string): string {
    return this.place.params.get(name) ?? ''
  }

  /** All filters, as they stand in the address. */
  get filters(): Record<string, string> {
    return Object.fromEntries(this.place.params)
  }

  /** Changes filters of this page: '', false, undefined and null take one away. Back undoes it, unless it replaces. */
  set(changes: Filters, replace = false): void {
    this.go(href(this.page, changes, this.place.params), replace)
  }

  go(to: string, replace = false): void {
    if (to === location.hash) return
    if (replace) history.replaceState(history.state, '', to)
    else history.pushState(null, '', to)
    this.place = readPlace(to)
  }

  /** A link to a page with its filters; the time range comes along. */
  to(page: string, filters: Filters = {}): string {
    const params = new URLSearchParams()
    for (const name of kept) if (this.place.params.has(name)) params.set(name, this.place.params.get(name)!)
    return href(page, filters, params)
  }
}

export function href(page: string, changes: Filters, before = new URLSearchParams()): string {
  const params = new URLSearchParams(before)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === '' || value === false) params.delete(name)
    else params.set(name, String(value))
  }
  const query = params.toString()
  return `#/${page}${query ? `?${query}` : ''}`
}

export const address = new Address()
