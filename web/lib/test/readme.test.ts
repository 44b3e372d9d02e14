import ts from 'typescript'
import { expect, test } from 'vitest'
import readme from '../README.md?raw'
import built from '../package.json'
import { closings } from '../src/closing.ts'
import { ownReasons, reasons, RequestError } from '../src/errors.ts'

const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!)
const folder = decodeURIComponent(new URL('..', import.meta.url).pathname)

const wrong = `import { Client } from '@lishi/client'
const client = new Client({ token: '', url: 'ws://x' })
void client.command('/chat/sendMessage', { receiveUserId: 'bob', messageContent: 7 })
void client.command('/chat/sendMessage')
void client.query('/chat/sendMessage')
void client.query('/friend/myFriendList').then(({ list }) => list[0]?.nothing)`

// Compiled against what others install: dist, found by the package's exports.
function complaints(examples: readonly string[]): string[][] {
  const names = examples.map((_, i) => `${folder}test/readme_example_${i}.ts`)
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipDefaultLibCheck: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
    paths: Object.fromEntries(Object.entries(built.exports).map(([name, { types }]) => [`@lishi/client${name.slice(1)}`, [folder + types.slice(2)]])),
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => names.includes(name) || fileExists(name)
  host.getSourceFile = (name, ...rest) => {
    const code = examples[names.indexOf(name)]
    return code === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, `${code}\ndeclare const process: { argv: string[] }\nexport {}`, ts.ScriptTarget.ES2022)
  }
  const program = ts.createProgram(names, options, host)
  const others = program.getOptionsDiagnostics().length
  expect(others).toBe(0)
  return names.map((name) => {
    const source = program.getSourceFile(name)!
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  })
}

test('its examples compile; a wrong param, a wrong url and a field that is none do not', { timeout: 120_000 }, () => {
  const found = complaints([...blocks, wrong])
  expect(found.slice(0, -1)).toEqual(blocks.map(() => []))
  expect(found.at(-1)).toHaveLength(4)
})

test('there are four examples, and the last one does what it says', { timeout: 60_000 }, async () => {
  expect(blocks).toHaveLength(4)
  const [{ Client }, { World }] = [await import('../dist/index.js'), await import('../dist/testing/world.js')]
  const said: unknown[] = []
  const body = blocks[3]!.replaceAll(/^import .*$/gm, '')
  await new Function('Client', 'World', 'console', `return (async () => {${body}})()`)(Client, World, { log: (text: unknown) => said.push(text) })
  expect(said).toEqual(['c0-11'])
})

test('its tables name every close code and every reason, with what follows', () => {
  for (const [code, { meaning, then }] of Object.entries(closings)) expect(readme).toContain(`| ${code} | ${meaning} | ${then} |`)
  const rows = [...readme.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| (no|token|later|now) \|/gm)].flatMap(([, words, again]) => words!.replaceAll('`', '').split(', ').map((word) => `${word} ${again}`))
  expect(rows.sort()).toEqual([...reasons, ...ownReasons].map((reason) => `${reason} ${new RequestError(reason, '', '').again}`).sort())
})
