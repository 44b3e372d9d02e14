// Two people in a real browser against the real program. Everything is done
// by clicks and keys and judged by what is on the page.
//
//   LISHI_BIN    the program (default ../bin/lishi)
//   CHROMIUM     the browser (default /usr/bin/chromium)
//   --picture    also renews docs/page.png
//   --language   zh or en: the page in this language alone
//   NAME…        only these stories, in their order; most need meeting, many what came before them
import { mkdirSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { results, Stage } from './stage.mjs'
import { equal } from './steps.mjs'
import { answering } from './stories/answering.mjs'
import { leading } from './stories/leading.mjs'
import { library } from './stories/library.mjs'
import { looks } from './stories/looks.mjs'
import { magnitude } from './stories/magnitude.mjs'
import { marks } from './stories/marks.mjs'
import { meeting } from './stories/meeting.mjs'
import { parting } from './stories/parting.mjs'
import { people } from './stories/people.mjs'
import { reading } from './stories/reading.mjs'
import { restart } from './stories/restart.mjs'
import { revising } from './stories/revising.mjs'
import { windows } from './stories/windows.mjs'

rmSync(results, { recursive: true, force: true })
mkdirSync(results, { recursive: true })

const { values, positionals: wanted } = parseArgs({ options: { language: { type: 'string' }, picture: { type: 'boolean' } }, allowPositionals: true })
const stories = [meeting, restart, reading, revising, answering, marks, people, leading, looks, parting, library, windows, magnitude]
// What people do with each other, which is done in English too.
const everyday = [meeting, restart, reading, revising, answering, marks, people, leading, parting]

async function run(language, told) {
  const stage = await Stage.create(language)
  try {
    await stage.step(`the program starts and is ready (${language})`, () => stage.server.start())
    for (const story of told) await story(stage)
    await stage.step('nothing was asked of anybody but the program, and the browser had nothing to complain of', async () => {
      equal(stage.foreign, [], 'foreign requests')
      equal(stage.problems, [], 'errors in the browser')
    })
  } finally {
    await stage.end()
  }
  return stage
}

const chosen = (from) => from.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const runs = [await run(values.language ?? 'zh', chosen(stories))]
if (!values.language && !values.picture && chosen(everyday).length > 0) runs.push(await run('en', chosen(everyday)))

const sum = (what) => runs.reduce((all, stage) => all + stage[what], 0)
console.log(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') === 0 ? 0 : 1
