import { say } from './texts'

type Key = keyof (typeof say)['zh']

/** A figure's or a column's text; what this page does not know, as the server has it. */
export function named(kind: 'figure' | 'doc' | 'column', name: string, otherwise = name): string {
  const key = { figure: `figure_${name}`, doc: `doc_${name}`, column: `column_${name}` }[kind]
  return key in say.zh ? say(key as Key) : otherwise
}
