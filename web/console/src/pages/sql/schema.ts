// The views that SQL is asked of, as the server describes them.

export interface Limits {
  seconds: number
  rows: number
  memory: number // bytes
}

export interface Column {
  name: string
  type: string
  comment: string
}

export interface View {
  name: string
  comment: string
  columns: Column[]
}

export interface Schema {
  database: string
  views: View[]
  limits: Limits
}

/** The views whose name, columns or comments hold all the words. */
export function search(views: readonly View[], text: string): View[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '')
  return views.filter((view) => {
    const all = [view.name, view.comment, ...view.columns.flatMap(({ name, comment }) => [name, comment])].join('\n').toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

/** The views that a statement reads, as far as its words tell. */
export function mentioned(views: readonly View[], statement: string): View[] {
  const words = new Set(statement.split(/[^\w]+/))
  return views.filter(({ name }) => words.has(name))
}

/** The parameters {name:Type} of a statement, each once, in their order; not those in comments and strings. */
export function parameters(statement: string): { name: string; type: string }[] {
  const bare = statement.replace(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\]|\\[\s\S]|'')*'|(\{\s*\w+\s*:[^}]*\})/g, (_, kept: string | undefined) => kept ?? ' ')
  const found = new Map<string, string>()
  for (const [, name, type] of bare.matchAll(/\{\s*(\w+)\s*:\s*([^}]+?)\s*\}/g)) if (!found.has(name!)) found.set(name!, type!)
  return [...found].map(([name, type]) => ({ name, type }))
}

/** What stands inside Nullable(…) and LowCardinality(…). */
export function plain(type: string): string {
  const inner = /^(?:Nullable|LowCardinality)\((.*)\)$/.exec(type)
  return inner ? plain(inner[1]!) : type
}

export const isNumber = (type: string): boolean => /^(?:U?Int\d|Float|Decimal|BFloat)/.test(plain(type))
export const isTime = (type: string): boolean => /^Date/.test(plain(type))
