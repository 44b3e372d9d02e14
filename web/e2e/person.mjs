import { equal, until } from './steps.mjs'

/** Somebody in front of the page: does what hands do, sees what eyes see. */
export class Person {
  constructor(page, name) {
    this.page = page
    this.name = name
  }

  button(name, exact = true) {
    return this.page.getByRole('button', { name, exact })
  }

  async enter(origin) {
    await this.page.goto(origin)
    await this.button(`以${this.name}的身份进入`).click()
    await this.page.getByText('已连接').waitFor()
  }

  async pane(name) {
    await this.page.getByRole('tab', { name }).click()
  }

  async choose(item) {
    await this.button('添加').click()
    await this.page.getByRole('menuitem', { name: item }).click()
  }

  row(name) {
    return this.page.getByRole('list', { name: '聊天' }).getByRole('button', { name: new RegExp(`^${name}`) })
  }

  async open(name) {
    await this.pane('聊天')
    await this.row(name).click()
    await this.page.getByRole('region', { name, exact: true }).waitFor()
  }

  get field() {
    return this.page.getByRole('textbox', { name: /^发消息给/ })
  }

  get log() {
    return this.page.getByRole('log', { name: '聊天记录', exact: true })
  }

  async say(text) {
    await this.field.fill(text)
    await this.field.press('Enter')
  }

  /** The bubbles with exactly this text, not those that answer it. */
  said(text) {
    return this.log.getByRole('article').filter({ has: this.page.locator('.text').and(this.page.getByText(text, { exact: true })) })
  }

  /** Opens the menu of a message and takes an entry. */
  async choosesFor(text, entry) {
    await this.said(text).hover()
    await this.said(text).getByRole('button', { name: '更多操作' }).click()
    await this.page.getByRole('menuitem', { name: entry }).click()
  }

  async sees(text, within = 10_000) {
    await this.said(text).first().waitFor({ timeout: within })
    equal(await this.said(text).count(), 1, `${this.name} sees “${text}”`)
  }

  /** The own message carries this state: 发送中, 已记入日志 or 已读. */
  async seesState(text, state, within = 15_000) {
    await until(`“${text}” is ${state}`, async () => (await this.said(text).first().getByText(state).count()) === 1, within)
    equal(await this.said(text).count(), 1, `${this.name} sees “${text}”`)
  }

  /** The own message is in the log, perhaps read by now. */
  async seesSent(text, within) {
    await this.seesState(text, /^(已记入日志|已读)$/, within)
  }

  /** Every text in sight of the log, in order. */
  async texts() {
    return this.log.locator('.text').allInnerTexts()
  }

  async details() {
    const button = this.button('详情')
    if ((await button.getAttribute('aria-pressed')) !== 'true') await button.click()
    return this.page.getByRole('complementary', { name: '详情' })
  }
}
