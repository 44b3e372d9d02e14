// An audit package, opened from a file in a real browser: it verifies itself
// without a network, shows what is in it, and says what is broken.
//
//   LISHI_BIN    the program (default ../bin/lishi)
//   CHROMIUM     the browser (default /usr/bin/chromium)
//   PACKAGE      times this package instead: prints how long it takes
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { accessible } from './accessibility.mjs'
import { equal, Steps } from './steps.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const lishi = resolve(root, process.env.LISHI_BIN || '../bin/lishi')
const corpus = resolve(root, '../infra/exports/testdata/corpus')
const dir = mkdtempSync(join(tmpdir(), 'lishi-package-'))
const steps = new Steps(() => {})
const foreign = []
const problems = []
let browser

async function open(index, locale, colorScheme = 'light') {
  const context = await browser.newContext({ locale, colorScheme, viewport: { width: 1200, height: 900 } })
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  page.on('request', (request) => /^(file|data):/.test(request.url()) || foreign.push(request.url()))
  page.on('pageerror', (error) => problems.push(error.stack))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  await page.goto(pathToFileURL(index).href)
  return page
}

/** Does what makes the page verify, and gives what it says then. */
async function verdict(page, act, timeout = 60_000) {
  await page.evaluate(() => (document.getElementById('verdict').className = 'waiting'))
  await act()
  await page.waitForSelector('#verdict.good, #verdict.bad', { timeout })
  return page.locator('#verdict').innerText()
}

/** Chooses a folder or an archive. */
const choose = (page, path, timeout) => verdict(page, () => page.setInputFiles(/\.(zip|tar)$/.test(path) ? '#archive' : '#folder', path), timeout)
const giveKey = (page, key) => verdict(page, () => page.fill('#key', key))

function has(text, ...words) {
  for (const word of words) if (!text.includes(word)) throw new Error(`"${text}" does not have "${word}"`)
}

async function stories() {
  const good = join(dir, 'package')
  const data = join(dir, 'data')
  let page, key

  await steps.step('the program exports a package', () => {
    const line = (n) => JSON.stringify({ time: `2026-01-30 18:00:${String(n % 60).padStart(2, '0')}`, from: n % 2 ? '黛玉' : '宝玉', group: '大观园', text: `第 ${n} 句 <b>诗</b>` })
    writeFileSync(join(dir, 'in.jsonl'), Array.from({ length: 450 }, (_, n) => line(n)).join('\n'))
    execFileSync(lishi, ['import', join(dir, 'in.jsonl'), '--data', data])
    execFileSync(lishi, ['audit', 'export', '--data', data, '--group', '大观园', '--reason', '看看', '--as', '贾政', '--output', good])
    execFileSync(lishi, ['audit', 'export', '--data', data, '--group', '大观园', '--reason', '看看', '--as', '贾政', '--output', `${good}.zip`])
    key = execFileSync(lishi, ['audit', 'key', '--data', data]).toString().trim()
  })

  await steps.step('from a file, without a network, it verifies itself and says whose it is', async () => {
    page = await open(join(good, 'index.html'), 'zh-CN')
    has(await choose(page, good), '验证通过', '450 个消息版本', key)
    has(await page.locator('#facts').innerText(), '贾政', '看看', 'message.sent 450')
    has(await giveKey(page, key), '签名密钥就是所给的公钥')
  })

  await steps.step('it can be read and searched', async () => {
    equal(await page.locator('#rows tr').count(), 200, 'rows of a page')
    has(await page.locator('#rows tr').first().innerText(), '宝玉', '第 0 句 <b>诗</b>')
    await page.getByRole('button', { name: '下一页' }).click()
    has(await page.locator('#place').innerText(), '201–400', '450')
    await page.getByLabel('查找').fill('第 44')
    has(await page.locator('#place').innerText(), '共 11 条')
  })

  for (const scheme of ['light', 'dark'])
    await steps.step(`nothing serious for axe, ${scheme}`, async () => {
      const other = await open(join(good, 'index.html'), 'en-GB', scheme)
      has(await choose(other, `${good}.zip`), 'It holds', '450 versions')
      await accessible(other, `the page of a package, ${scheme}`)
      await other.context().close()
    })

  await steps.step('one bit in any file of it is found', async () => {
    for (const name of ['messages.csv', 'events.jsonl', 'membership.csv', 'manifest.json', 'manifest.sig']) {
      const broken = join(dir, `broken-${name}`)
      cpSync(good, broken, { recursive: true })
      const bytes = readFileSync(join(broken, name))
      bytes[Math.floor(bytes.length / 2)] ^= 1
      writeFileSync(join(broken, name), bytes)
      const says = await choose(page, broken)
      has(says, '验证不通过')
      equal(await page.locator('#reading').isVisible(), false, 'what does not hold is not shown')
    }
  })

  await steps.step('what somebody forged who has the key is found too', async () => {
    await giveKey(page, '')
    for (const [name, code] of [['other-text', 'proof'], ['event-left-out', 'proof'], ['row-of-another-text', 'message'], ['what-is-read', 'event'], ['extra', 'extra'], ['other-count', 'counts']])
      has(await choose(page, join(corpus, `${name}.zip`)), '验证不通过', code)
    has(await choose(page, join(corpus, 'good-everything.zip')), '验证通过')
    has(await giveKey(page, key), '验证不通过（signature）')
    has(await giveKey(page, 'short'), '这不是公钥')
  })

  await steps.step('what is no package is told so', async () => {
    await giveKey(page, '')
    writeFileSync(join(dir, 'no.zip'), 'this is no archive')
    has(await choose(page, join(dir, 'no.zip')), '无法读取')
  })

  await steps.step('nothing was asked of anybody, and the browser had nothing to complain of', () => {
    equal(foreign, [], 'requests')
    equal(problems, [], 'errors in the browser')
  })
}

try {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  if (process.env.PACKAGE) {
    const page = await open(join(process.env.PACKAGE, 'index.html'), 'en-GB')
    const begun = performance.now()
    console.log(await choose(page, process.env.PACKAGE, 600_000), `${((performance.now() - begun) / 1000).toFixed(1)} s`)
  } else {
    await stories()
    console.log(`${steps.passed} passed, ${steps.failed} failed`)
    process.exitCode = steps.failed === 0 ? 0 : 1
  }
} finally {
  await browser?.close()
  rmSync(dir, { recursive: true, force: true })
}
