// The console in a real browser against the real program. Every page's story
// stands in pages/<id>.mjs and is told here; how all pages look is told by looks.mjs.
//
//   LISHI_BIN    the program (default ../bin/lishi)
//   CHROMIUM     the browser (default /usr/bin/chromium)
//   --picture    renews docs/console.png instead
//   NAME…        only these stories; every one can be told alone
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { results, Stage } from '../stage.mjs'
import { equal } from '../steps.mjs'
import { looks } from './looks.mjs'
import { picture } from './picture.mjs'
import { shell } from './shell.mjs'

const { values, positionals: wanted } = parseArgs({ options: { picture: { type: 'boolean' } }, allowPositionals: true })
rmSync(resolve(results, 'console'), { recursive: true, force: true })
mkdirSync(results, { recursive: true })

const files = readdirSync(new URL('pages/', import.meta.url)).filter((name) => name.endsWith('.mjs')).sort()
const stories = [shell, ...(await Promise.all(files.map(async (name) => (await import(`./pages/${name}`)).story))), looks]
const names = ['shell', ...files.map((name) => name.replace('.mjs', '')), 'looks']

const stage = await Stage.create('en', 'console')
try {
  await stage.step('the program starts and is ready', () => stage.server.start())
  for (const [i, story] of stories.entries()) {
    if (!values.picture && (wanted.length === 0 || wanted.includes(names[i]))) await story(stage)
  }
  if (values.picture) await picture(stage)
  await stage.step('nothing was asked of anybody but the program, and the browser had nothing to complain of', async () => {
    equal(stage.foreign, [], 'foreign requests')
    equal(stage.problems, [], 'errors in the browser')
  })
} finally {
  await stage.end()
}
console.log(`${stage.passed} passed, ${stage.failed} failed`)
process.exitCode = stage.failed === 0 ? 0 : 1
