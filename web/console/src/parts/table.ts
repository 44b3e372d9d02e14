/** A column of a Table, and of what it downloads. */
export interface Column<Row> {
  key: string // its name in downloads
  label: string
  value: (row: Row) => string | number | boolean | null | undefined
  /** How the value is shown; without it, as it stands. */
  show?: (row: Row) => string
  number?: boolean // to the right, with digits of one width
  mono?: boolean
  wide?: boolean // its text may take several lines
}

/** RFC 4180, with a line of names; what spreadsheets would take for a formula is quoted as text. */
export function csv<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cell = (value: unknown): string => {
    let text = value === null || value === undefined ? '' : String(value)
    if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const lines = [columns.map(({ key }) => cell(key)), ...rows.map((row) => columns.map((column) => cell(column.value(row))))]
  return lines.map((line) => line.join(',')).join('\r\n') + '\r\n'
}

export function json<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  return JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((column) => [column.key, column.value(row) ?? null]))), null, 2) + '\n'
}
