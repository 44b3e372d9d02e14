// CodeMirror, fetched when the page of SQL is opened.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, toggleComment } from '@codemirror/commands'
import { sql, SQLDialect } from '@codemirror/lang-sql'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { Compartment, EditorState, Prec } from '@codemirror/state'
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { mentioned, type View } from './schema'

// Of ClickHouse's words those that people need to read; see
// https://clickhouse.com/docs/sql-reference/statements/select.
const dialect = SQLDialect.define({
  keywords:
    'select from where prewhere group by order having limit offset with as and or not in is null between like ilike distinct on using join left right inner outer full cross any asof semi anti global array final sample union all except intersect case when then else end asc desc nulls first last fill step to interpolate totals rollup cube grouping sets window over partition rows range preceding following unbounded current row qualify interval settings format explain describe show cast exists true false second minute hour day week month quarter year top ties',
  types:
    'UInt8 UInt16 UInt32 UInt64 Int8 Int16 Int32 Int64 Float32 Float64 Decimal String FixedString Date Date32 DateTime DateTime64 Bool UUID Array Tuple Map Nullable LowCardinality Enum8 Enum16 JSON',
  builtin:
    'count countIf sum sumIf avg avgIf min max any anyLast argMin argMax uniq uniqExact uniqExactIf quantile quantileExact quantiles median groupArray groupUniqArray topK length lower upper lowerUTF8 upperUTF8 lengthUTF8 substring substringUTF8 concat position positionCaseInsensitive match extract replaceAll splitByChar arrayJoin arrayMap arrayFilter arraySort arrayStringConcat has hasAny indexOf if multiIf coalesce ifNull nullIf toString toUInt64 toInt64 toFloat64 toDate toDateTime toDateTime64 toStartOfHour toStartOfDay toStartOfWeek toStartOfMonth toStartOfYear toStartOfInterval toDayOfWeek toHour toYear toMonth toUnixTimestamp toUnixTimestamp64Milli fromUnixTimestamp64Milli formatDateTime dateDiff dateAdd now now64 today yesterday round floor ceil greatest least row_number rank dense_rank lagInFrame leadInFrame first_value last_value JSONExtractString JSONExtractInt JSONExtractBool JSONExtractRaw',
  backslashEscapes: true,
  identifierQuotes: '`"',
  operatorChars: '*+-%<>!=&|~^/?:',
  caseInsensitiveIdentifiers: false,
})

const look = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--series-1)' },
  { tag: [tags.typeName, tags.standard(tags.name)], color: 'var(--series-5)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--series-4)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--series-2)' },
  { tag: [tags.comment, tags.lineComment, tags.blockComment], color: 'var(--ink-soft)', fontStyle: 'italic' },
])

const theme = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'var(--surface)', fontSize: '14px' },
  '&.cm-focused': { outline: '2px solid var(--seal)', outlineOffset: '-1px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '10px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--ink-soft)', border: 'none' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'color-mix(in oklab, var(--seal) 25%, transparent)' },
  '.cm-matchingBracket': { backgroundColor: 'var(--hover)', outline: '1px solid var(--line-strong)' },
  '.cm-placeholder': { color: 'var(--ink-soft)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--ink)', border: '1px solid var(--line-strong)', borderRadius: '8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--seal)', color: 'var(--on-seal)' },
  '.cm-completionDetail': { opacity: '0.75', fontStyle: 'normal' },
})

interface Wanted {
  text: string
  label: string
  hint: string
  views: readonly View[]
  changed: (text: string) => void
  run: () => void
}

/** The columns of the views that the statement names, wherever a word begins. */
function columns(views: readonly View[]) {
  return (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/(?<![\w.])\w*/)
    if (!word || (word.from === word.to && !context.explicit)) return null
    const options = mentioned(views, context.state.doc.toString()).flatMap((view) =>
      view.columns.map(({ name, type, comment }) => ({ label: name, detail: type, info: `${view.name}: ${comment}`, type: 'property', boost: 1 })),
    )
    return options.length > 0 ? { from: word.from, options, validFor: /^\w*$/ } : null
  }
}

function language(views: readonly View[]) {
  const schema = Object.fromEntries(
    views.map(({ name, comment, columns: all }) => [
      name,
      { self: { label: name, detail: 'view', info: comment, type: 'type', boost: 2 }, children: all.map((column) => ({ label: column.name, detail: column.type, info: column.comment, type: 'property' })) },
    ]),
  )
  return [sql({ dialect, schema, upperCaseKeywords: true }), dialect.language.data.of({ autocomplete: columns(views) })]
}

export class Editor {
  private readonly view: EditorView
  private readonly languages = new Compartment()

  constructor(host: HTMLElement, wanted: Wanted) {
    const run = (): boolean => (wanted.run(), true)
    this.view = new EditorView({
      parent: host,
      state: EditorState.create({
        doc: wanted.text,
        extensions: [
          Prec.highest(keymap.of([{ key: 'Mod-Enter', run }, { key: 'Mod-/', run: toggleComment }])),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
          lineNumbers(), history(), drawSelection(), highlightSpecialChars(), bracketMatching(), closeBrackets(), autocompletion(),
          EditorView.lineWrapping, EditorView.contentAttributes.of({ 'aria-label': wanted.label, 'aria-multiline': 'true' }), placeholder(wanted.hint),
          syntaxHighlighting(look), theme, this.languages.of(language(wanted.views)),
          EditorView.updateListener.of((update) => update.docChanged && wanted.changed(update.state.doc.toString())),
        ],
      }),
    })
  }

  describe(views: readonly View[]): void {
    this.view.dispatch({ effects: this.languages.reconfigure(language(views)) })
  }

  /** Puts another text in the place of all; undo brings the old one back. */
  set(text: string): void {
    if (text !== this.view.state.doc.toString()) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } })
  }

  /** Writes a word where the cursor is. */
  insert(word: string): void {
    this.view.dispatch(this.view.state.replaceSelection(word))
    this.view.focus()
  }

  /** The selected text, if there is any, else all of it. */
  get chosen(): string {
    const { from, to } = this.view.state.selection.main
    return from === to ? this.view.state.doc.toString() : this.view.state.sliceDoc(from, to)
  }

  focus(): void {
    this.view.focus()
  }

  destroy(): void {
    this.view.destroy()
  }
}
