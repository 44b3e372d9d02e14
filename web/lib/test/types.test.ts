import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import asyncapiText from '../../../docs/api/asyncapi.yaml?raw'
import openapiText from '../../../docs/api/openapi.yaml?raw'
import { reasons } from '../src/errors.ts'

// The types of urls, rows and pushes are held against the descriptions that the
// program writes from its own registry: a new url, param, field or push there
// turns a test red here.

interface Schema {
  $ref?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  required?: string[]
  properties?: Record<string, Schema>
  items?: Schema
  oneOf?: Schema[]
}

interface Description {
  paths: Record<string, unknown>
  components: { schemas: Record<string, Schema> }
}

const openapi = parse(openapiText) as Description
const asyncapi = parse(asyncapiText) as Description

/** What is known of a field on either side. */
interface Field {
  kind: string
  required: boolean
  words?: string // the only ones that there are
}
type Shape = Record<string, Field | Shape[]> // an array of objects is the shape of its items

const entry = decodeURIComponent(new URL('../src/index.ts', import.meta.url).pathname)
const program = ts.createProgram([entry], { strict: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, allowImportingTsExtensions: true, noEmit: true, types: [] })
const checker = program.getTypeChecker()
const exported = new Map(checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!).map((symbol) => [symbol.name, symbol]))

function typeOf(name: string): ts.Type {
  const symbol = exported.get(name)!
  return checker.getDeclaredTypeOfSymbol(symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol)
}

const member = (type: ts.Type, name: string): ts.Type => checker.getTypeOfSymbol(checker.getPropertyOfType(type, name)!)
const namesOf = (type: ts.Type): string[] => checker.getPropertiesOfType(type).map((symbol) => symbol.name)

function shapeOfType(type: ts.Type): Shape {
  const parts = type.isUnion() ? type.types : [type]
  const shape: Shape = {}
  for (const name of new Set(parts.flatMap(namesOf))) {
    const inParts = parts.map((part) => checker.getPropertyOfType(part, name))
    const optional = inParts.some((symbol) => !symbol || (symbol.flags & ts.SymbolFlags.Optional) !== 0)
    const given = inParts.flatMap((symbol) => (symbol ? [checker.getNonNullableType(checker.getTypeOfSymbol(symbol))] : []))
    const some = given.find((one) => (one.flags & ts.TypeFlags.Never) === 0)!
    shape[name] = fieldOfType(some, !optional)
  }
  return shape
}

function fieldOfType(type: ts.Type, required: boolean): Field | Shape[] {
  if (type.isUnion() && type.types.every((one) => one.isStringLiteral())) {
    return { kind: 'string', required, words: type.types.map((one) => (one as ts.StringLiteralType).value).sort().join() }
  }
  const item = checker.getIndexTypeOfType(type, ts.IndexKind.Number)
  if (item && !(type.flags & ts.TypeFlags.StringLike)) {
    return checker.getPropertiesOfType(item).length > 0 && item.flags & ts.TypeFlags.Object ? [shapeOfType(item)] : { kind: 'array', required }
  }
  return { kind: checker.typeToString(checker.getBaseTypeOfLiteralType(type)), required }
}

function shapeOfSchema({ schemas }: Description['components'], schema: Schema, leave: string[] = []): Shape {
  const { properties = {}, required = [] } = resolve(schemas, schema)
  const shape: Shape = {}
  for (const [name, field] of Object.entries(properties)) {
    if (leave.includes(name)) continue
    const { type, items, const: value, enum: values } = resolve(schemas, field)
    const rows = items && resolve(schemas, items)
    const kind = type === 'integer' ? 'number' : (type ?? typeof (value ?? values?.[0]))
    shape[name] = rows?.properties ? [shapeOfSchema({ schemas }, rows)] : { kind, required: required.includes(name), ...(values && { words: [...values].sort().join() }) }
  }
  return shape
}

const resolve = (schemas: Record<string, Schema>, schema: Schema): Schema => (schema.$ref ? resolve(schemas, schemas[schema.$ref.split('/').at(-1)!]!) : schema)

/** What a type promises that is not so, and what it leaves out. */
function differences(type: Shape, schema: Shape, exact: boolean, at = ''): string[] {
  const found: string[] = []
  for (const name of new Set([...Object.keys(type), ...Object.keys(schema)])) {
    const [mine, theirs] = [type[name], schema[name]]
    const where = `${at}${name}`
    if (!mine) found.push(`${where} is missing here`)
    else if (!theirs) found.push(`${where} is nothing that the server knows`)
    else if (Array.isArray(mine) || Array.isArray(theirs)) {
      if (Array.isArray(mine) && Array.isArray(theirs)) found.push(...differences(mine[0]!, theirs[0]!, exact, `${where}.`))
      else found.push(`${where} is rows on one side only`)
    } else {
      if (mine.kind !== theirs.kind) found.push(`${where} is a ${mine.kind} here, a ${theirs.kind} there`)
      if (mine.words !== undefined && theirs.words !== undefined && mine.words !== theirs.words) found.push(`${where} is one of ${mine.words} here, of ${theirs.words} there`)
      if (mine.required && !theirs.required) found.push(`${where} need not be there`)
      if (exact && theirs.required && !mine.required) found.push(`${where} has to be given`)
    }
  }
  return found
}

const schemaName = (url: string): string => url.slice(1).split('/').map((part) => part[0]!.toUpperCase() + part.slice(1)).join('')
const schemaOf = (name: string): Schema => openapi.components.schemas[name]!
const common = ['token', 'uniqueNo', 'resend', 'seen']

describe('urls', () => {
  const [commands, queries] = [typeOf('Commands'), typeOf('Queries')]
  const described = Object.keys(openapi.paths).filter((path) => /^\/(chat|friend|group|user)\//.test(path) && path !== '/chat/ping' && path !== '/chat/login')

  test('are those of the program', () => {
    expect([...namesOf(commands), ...namesOf(queries)].sort()).toEqual(described.sort())
    expect(described.length).toBeGreaterThan(38)
  })

  test.each(described)('%s', (url) => {
    const isCommand = namesOf(commands).includes(url)
    const own = member(isCommand ? commands : queries, url)
    const params = schemaOf(`${schemaName(url)}Params`)
    expect(resolve(openapi.components.schemas, params).properties?.resend !== undefined, 'a command').toBe(isCommand)
    expect(differences(shapeOfType(member(own, 'params')), shapeOfSchema(openapi.components, params, common), true), 'params').toEqual([])
    const { obj } = resolve(openapi.components.schemas, schemaOf(`${schemaName(url)}Result`)).properties!
    if (isCommand) return expect(differences(shapeOfType(member(own, 'result')), shapeOfSchema(openapi.components, obj!), false), 'result').toEqual([])
    const { list } = resolve(openapi.components.schemas, obj!).properties!
    return expect(differences(shapeOfType(member(own, 'row')), shapeOfSchema(openapi.components, list!.items!), false), 'rows').toEqual([])
  })
})

describe('pushes', () => {
  const own = typeOf('Pushes')
  const described = Object.keys(asyncapi.components.schemas).flatMap((name) => /^Push(\d+)$/.exec(name)?.[1] ?? [])

  test('are those of the program', () => {
    expect([...namesOf(own), '8', '15'].sort()).toEqual(described.sort())
  })

  test.each(described)('%s', (msgType) => {
    const type = msgType === '8' ? typeOf('LoginData') : msgType === '15' ? typeOf('BacklogData') : member(own, msgType)
    const data = resolve(asyncapi.components.schemas, asyncapi.components.schemas[`Push${msgType}`]!).properties!.data!
    const cases = resolve(asyncapi.components.schemas, data).oneOf ?? [data]
    for (const one of cases.length > 1 ? [] : cases) expect(differences(shapeOfType(type), shapeOfSchema(asyncapi.components, one), false)).toEqual([])
    if (cases.length === 1) return
    // Of several shapes a field has to be in all of them to be promised.
    const shapes = cases.map((one) => shapeOfSchema(asyncapi.components, one))
    const union: Shape = {}
    for (const [name, field] of shapes.flatMap((shape) => Object.entries(shape))) {
      union[name] = Array.isArray(field) ? field : { ...field, required: shapes.every((shape) => (shape[name] as Field | undefined)?.required ?? false) }
    }
    expect(differences(shapeOfType(type), union, false)).toEqual([])
  })
})

test('the reason words are those of the program', () => {
  const { reason } = resolve(openapi.components.schemas, schemaOf('Refusal')).properties!
  expect([...reasons].sort()).toEqual([...(resolve(openapi.components.schemas, reason!).enum as string[])].sort())
})
