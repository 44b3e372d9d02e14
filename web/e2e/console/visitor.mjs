import { desktop } from '../stage.mjs'

/** Somebody with a role, in a window of their own, signed in by a link. */
export class Visitor {
  static async enter(stage, role, label = role, { server = stage.server, ...options } = {}) {
    const visitor = new Visitor()
    visitor.stage = stage
    visitor.server = server
    visitor.label = label
    visitor.page = await stage.open(label, { ...desktop, deviceScaleFactor: 1, reducedMotion: 'reduce', ...options })
    await visitor.page.goto(`${server.console}/#token=${await server.token(role)}`)
    await visitor.page.getByRole('main').getByRole('heading', { level: 1 }).waitFor()
    return visitor
  }

  /** Opens a page by its address, and waits until it has loaded. */
  async open(id, filters = {}) {
    await this.page.goto(`${this.server.console}/#/${id}?${new URLSearchParams(filters)}`)
    await this.settled()
  }

  /** Waits until nothing says that it is loading. */
  async settled() {
    await this.page.getByRole('main').getByRole('heading', { level: 1 }).waitFor()
    await this.page.waitForFunction(() => !document.querySelector('main [role=status] > span[aria-hidden]') && !document.querySelector('main [aria-busy=true]'))
  }

  /** Gives the reason that the dialog asks for. */
  async because(reason) {
    const dialog = this.page.getByRole('dialog')
    await dialog.getByRole('textbox').fill(reason)
    await this.page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
  }

  /** The text of a file that a button downloads. */
  async download(button) {
    const [download] = await Promise.all([this.page.waitForEvent('download'), button.click()])
    const chunks = []
    for await (const chunk of await download.createReadStream()) chunks.push(chunk)
    return { name: download.suggestedFilename(), text: Buffer.concat(chunks).toString('utf8') }
  }

  leave() {
    return this.stage.close(this.label)
  }
}
