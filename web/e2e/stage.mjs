import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { speak, translate } from './language.mjs'
import { Server } from './server.mjs'
import { Steps } from './steps.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const results = resolve(root, 'test-results')

const locales = { zh: 'zh-CN', en: 'en-GB' }

export const desktop = { viewport: { width: 1360, height: 860 }, deviceScaleFactor: 2 }
export const phone = { viewport: { width: 360, height: 720 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }

/** The program, the browser and its windows, and what went wrong unasked. */
export class Stage {
  /** Errors that the browser reported by itself. */
  problems = []
  /** Requests that went to anybody but the program. */
  foreign = []
  /** Set while the program is killed: connections fail then, as they should. */
  down = false
  #servers = []
  #pages = new Map()
  #steps = new Steps(() => this.#photograph())

  static async create(language, folder = language) {
    speak(language)
    const stage = new Stage()
    stage.language = language
    stage.folder = folder
    stage.server = await stage.another('server')
    stage.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      headless: true,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    })
    return stage
  }

  /** A program of its own, with its own data. */
  async another(name, flags) {
    const server = await Server.create(resolve(root, process.env.LISHI_BIN || '../bin/lishi'), this.#file(`${name}.log`), flags)
    this.#servers.push(server)
    return server
  }

  get passed() {
    return this.#steps.passed
  }

  get failed() {
    return this.#steps.failed
  }

  step(name, action) {
    return this.#steps.step(name, action)
  }

  /** A window of its own, with nothing in common with the others. */
  async open(label, options) {
    const context = await this.browser.newContext({ locale: locales[this.language], timezoneId: 'Asia/Shanghai', ...options })
    context.setDefaultTimeout(15_000)
    context.on('request', (request) => this.#watch(request.url()))
    return this.tab(context, label)
  }

  async tab(context, label) {
    const page = await context.newPage()
    translate(page)
    this.#pages.set(label, page)
    page.on('pageerror', (error) => this.problems.push(`${label}: ${error.stack ?? error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error' && !this.down) this.problems.push(`${label}: ${message.text()}`)
    })
    page.on('websocket', (socket) => this.#watch(socket.url()))
    return page
  }

  async close(label) {
    const page = this.#pages.get(label)
    this.#pages.delete(label)
    const context = page.context()
    await page.close()
    if (context.pages().length === 0) await context.close()
  }

  async picture(page, name, path = this.#file(`${name}.png`)) {
    await page.mouse.move(0, 0)
    await page.waitForFunction(() => document.getAnimations().every((animation) => animation.playState !== 'running'))
    await page.screenshot({ path })
  }

  async end() {
    await this.browser.close()
    for (const server of this.#servers) await server.remove()
  }

  #file(name) {
    const directory = resolve(results, this.folder)
    mkdirSync(directory, { recursive: true })
    return resolve(directory, name)
  }

  #watch(url) {
    if (url.startsWith('data:') || url.startsWith('blob:')) return // what the page holds itself
    if (!this.#servers.some((server) => [server.origin, server.console].includes(new URL(url.replace(/^ws/, 'http')).origin))) this.foreign.push(url)
  }

  async #photograph() {
    for (const [label, page] of this.#pages) await page.screenshot({ path: this.#file(`failed-${label}.png`) }).catch(() => {})
  }
}
