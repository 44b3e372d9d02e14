// Two people in a real browser against the real program. Everything is done
// by clicks and keys and judged by what is on the page.
//
//   LISHI_BIN    the program (default ../bin/lishi)
//   CHROMIUM     the browser (default /usr/bin/chromium)
//   --picture    also renews docs/page.png
//   NAME…        only these stories, in their order; most need meeting, many what came before them
import { mkdirSync, rmSync } from 'node:fs'
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

const stage = await Stage.create()
try {
  await stage.step('the program starts and is ready', () => stage.server.start())
  const wanted = process.argv.slice(2).filter((name) => !name.startsWith('-'))
  const stories = [meeting, restart, reading, revising, answering, marks, people, leading, looks, parting, library, windows, magnitude]
  for (const story of stories) if (wanted.length === 0 || wanted.includes(story.name)) await story(stage)
  await stage.step('nothing was asked of anybody but the program, and the browser had nothing to complain of', async () => {
    equal(stage.foreign, [], 'foreign requests')
    equal(stage.problems, [], 'errors in the browser')
  })
} finally {
  await stage.end()
}

console.log(`${stage.passed} passed, ${stage.failed} failed`)
process.exitCode = stage.failed === 0 ? 0 : 1
