// Two people in a real browser against the real program. Everything is done
// by clicks and keys and judged by what is on the page.
//
//   LISHI_BIN    the program (default ../bin/lishi)
//   CHROMIUM     the browser (default /usr/bin/chromium)
//   --picture    also renews docs/page.png
import { mkdirSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { accessible } from './accessibility.mjs'
import { Person } from './person.mjs'
import { Server } from './server.mjs'
import { equal, Steps, until } from './steps.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const results = resolve(root, 'test-results')
rmSync(results, { recursive: true, force: true })
mkdirSync(results, { recursive: true })

const server = await Server.create(resolve(root, process.env.LISHI_BIN ?? '../bin/lishi'), resolve(results, 'server.log'))
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

const desktop = { viewport: { width: 1360, height: 860 }, deviceScaleFactor: 2 }
const phone = { viewport: { width: 360, height: 720 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }
const pages = new Map()
const problems = [] // what the browser itself complained of
const foreign = [] // requests that went to anybody but the program
let down = false // while the program is killed, failing connections are as they should be

async function window_(label, options) {
  const context = await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai', ...options })
  context.setDefaultTimeout(10_000)
  context.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(server.origin).host) foreign.push(request.url())
  })
  return tab(context, label)
}

async function tab(context, label) {
  const page = await context.newPage()
  pages.set(label, page)
  page.on('pageerror', (error) => problems.push(`${label}: ${error.stack ?? error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error' && !down) problems.push(`${label}: ${message.text()}`)
  })
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== new URL(server.origin).host) foreign.push(socket.url())
  })
  return page
}

async function picture(page, name) {
  await page.waitForFunction(() => document.getAnimations().every((animation) => animation.playState !== 'running'))
  await page.screenshot({ path: resolve(results, `${name}.png`) })
}

const steps = new Steps(async () => {
  for (const [label, page] of pages) await page.screenshot({ path: resolve(results, `failed-${label}.png`) }).catch(() => {})
})
const step = steps.step.bind(steps)

const group = '菊花诗社'
const manyLines = Array.from({ length: 70 }, (_, i) => `第${i + 1}句：一字一句都记着`)
let daiyu, xiangyun, elsewhere

try {
  await step('the program starts and is ready', () => server.start())

  await step('two windows show the demo people and become two of them', async () => {
    daiyu = new Person(await window_('daiyu', desktop), '林黛玉')
    xiangyun = new Person(await window_('xiangyun', desktop), '史湘云')
    await daiyu.page.goto(server.origin)
    equal(await daiyu.page.getByRole('listitem').count(), 5, 'cards')
    await accessible(daiyu.page, 'welcome')
    await picture(daiyu.page, 'welcome')
    await daiyu.enter(server.origin)
    await xiangyun.enter(server.origin)
    await daiyu.row('海棠诗社').waitFor() // made by the demo
  })

  await step('one applies, the other is told and accepts', async () => {
    await xiangyun.choose('加好友')
    await xiangyun.page.getByRole('searchbox', { name: '查找用户' }).fill('黛玉')
    await xiangyun.button('查找').click()
    await xiangyun.page.getByRole('textbox', { name: '留言' }).fill('林姐姐，我是湘云，快加我！')
    await xiangyun.button('申请加 林黛玉 为好友').click()
    await xiangyun.page.getByRole('dialog').getByText('已发出申请').waitFor()
    await xiangyun.button('关闭').first().click()

    await daiyu.page.getByText('史湘云想加你为好友').waitFor()
    await daiyu.pane(/申请/)
    await daiyu.page.getByText('林姐姐，我是湘云，快加我！').waitFor()
    await picture(daiyu.page, 'requests')
    await daiyu.button('同意史湘云').click()
    await daiyu.page.getByText('已同意').first().waitFor()
    await xiangyun.page.getByText('林黛玉同意了你的好友申请').waitFor()
  })

  await step('they chat both ways: Chinese, signs, several lines, by keys alone', async () => {
    await daiyu.open('史湘云')
    await daiyu.say('云妹妹来了？😀')
    await xiangyun.row('林黛玉').getByText('1 条未读').waitFor({ state: 'attached' })
    await xiangyun.open('林黛玉')
    await xiangyun.sees('云妹妹来了？😀')
    await xiangyun.field.pressSequentially('来了！<b>&amp;')
    await xiangyun.field.press('Shift+Enter')
    await xiangyun.field.pressSequentially('第二行')
    await xiangyun.field.press('Enter')
    await daiyu.sees('来了！<b>&amp;\n第二行')
    equal(await daiyu.texts(), ['云妹妹来了？😀', '来了！<b>&amp;\n第二行'], 'the words in order')
  })

  await step('a message is marked as in the log, then as read', async () => {
    await daiyu.seesState('云妹妹来了？😀', '已读')
    await xiangyun.row('林黛玉').getByText('条未读').waitFor({ state: 'detached' })
  })

  await step('Enter takes an input method’s candidate and sends nothing', async () => {
    const keys = await xiangyun.page.context().newCDPSession(xiangyun.page)
    await xiangyun.field.focus()
    await keys.send('Input.imeSetComposition', { text: 'haode', selectionStart: 5, selectionEnd: 5 })
    await keys.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229 })
    await keys.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229 })
    await keys.send('Input.insertText', { text: '好的' })
    equal(await xiangyun.field.inputValue(), '好的', 'the field after the composition')
    equal((await xiangyun.texts()).length, 2, 'messages sent so far')
    await xiangyun.field.press('Enter')
    await daiyu.sees('好的')
  })

  await step('another tab of the same person shows own words too', async () => {
    const page = await tab(daiyu.page.context(), 'daiyu-2')
    elsewhere = new Person(page, '林黛玉')
    await elsewhere.enter(server.origin)
    await elsewhere.open('史湘云')
    await elsewhere.sees('好的')
    await daiyu.say('这句从另一个窗口也看得见')
    await elsewhere.sees('这句从另一个窗口也看得见')
    await elsewhere.say('这句也是')
    await daiyu.sees('这句也是')
    await xiangyun.sees('这句也是')
    await page.close()
    pages.delete('daiyu-2')
  })

  await step('one makes a group and invites the other, who accepts', async () => {
    await daiyu.choose('建群')
    await daiyu.page.getByRole('textbox', { name: '群名称' }).fill(group)
    await daiyu.page.getByRole('checkbox', { name: '史湘云' }).check()
    await picture(daiyu.page, 'make-group')
    await daiyu.button('建立').click()
    await daiyu.page.getByRole('region', { name: group, exact: true }).waitFor()
    await xiangyun.page.getByText(`林黛玉邀请你加入「${group}」`).first().waitFor()
    await xiangyun.pane(/申请/)
    await xiangyun.button('同意林黛玉').click()
    await xiangyun.open(group)
    const details = await daiyu.details()
    await details.getByText('史湘云').waitFor()
    await details.getByText('2 人').waitFor()
    await daiyu.page.getByText('史湘云接受邀请').waitFor()
  })

  await step('a third one is invited from the details, and refuses', async () => {
    await daiyu.page.getByRole('complementary').getByRole('button', { name: '邀请' }).click()
    await daiyu.page.getByRole('checkbox', { name: '薛宝钗' }).check()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '邀请' }).click()
    await daiyu.page.getByText('已邀请 1 人').waitFor()
    const baochai = new Person(await window_('baochai', phone), '薛宝钗')
    await baochai.enter(server.origin)
    await baochai.pane(/申请/)
    await baochai.button('拒绝林黛玉').click()
    await daiyu.page.getByText(`薛宝钗谢绝加入「${group}」`).waitFor()
    await baochai.page.context().close()
    pages.delete('baochai')
  })

  await step('they chat in the group', async () => {
    await daiyu.say('今日以菊为题，云妹妹先来。')
    await xiangyun.sees('今日以菊为题，云妹妹先来。')
    await xiangyun.say('圃露庭霜何寂寞，鸿归蛩病可相思。')
    await daiyu.sees('圃露庭霜何寂寞，鸿归蛩病可相思。')
    await daiyu.say('毫端蕴秀临霜写，口齿噙香对月吟。')
    await xiangyun.sees('毫端蕴秀临霜写，口齿噙香对月吟。')
    await daiyu.seesSent('毫端蕴秀临霜写，口齿噙香对月吟。')
  })

  let before
  await step('the program is killed; both windows say so and stay usable', async () => {
    before = await xiangyun.texts()
    down = true
    await server.kill()
    await daiyu.page.getByText('连接断开').waitFor()
    await xiangyun.page.getByText('连接断开').waitFor()
    await daiyu.say('断线了也接着写：孤标傲世偕谁隐？')
    await daiyu.say('一样花开为底迟？')
    await daiyu.seesState('断线了也接着写：孤标傲世偕谁隐？', '发送中')
    await daiyu.seesState('一样花开为底迟？', '发送中')
    await picture(daiyu.page, 'disconnected')
  })

  await step('it starts again on the same data; what was written meanwhile arrives, once, in order', async () => {
    await server.start()
    await daiyu.page.getByText('连接断开').waitFor({ state: 'detached', timeout: 30_000 })
    await xiangyun.page.getByText('连接断开').waitFor({ state: 'detached', timeout: 30_000 })
    down = false
    const written = ['断线了也接着写：孤标傲世偕谁隐？', '一样花开为底迟？']
    for (const text of written) await daiyu.seesSent(text)
    for (const text of written) await xiangyun.sees(text)
    equal(await xiangyun.texts(), [...before, ...written], 'the other one’s words')
    equal(await daiyu.texts(), [...before, ...written], 'the own words')
    await xiangyun.say('我都收到了')
    await daiyu.sees('我都收到了')
  })

  await step('killed again in the middle of sending: every word stands once', async () => {
    const burst = Array.from({ length: 12 }, (_, i) => `${i + 1}. 千红一哭`)
    for (const text of burst.slice(0, 6)) await daiyu.say(text)
    down = true
    const killed = server.kill()
    for (const text of burst.slice(6)) await daiyu.say(text)
    await killed
    await server.start()
    for (const text of burst) await daiyu.seesSent(text, 30_000)
    down = false
    await until('the other one has all of them', async () => {
      const texts = (await xiangyun.texts()).filter((text) => text.endsWith('千红一哭'))
      return JSON.stringify(texts.toSorted()) === JSON.stringify(burst.toSorted()) || texts
    })
    equal((await daiyu.texts()).toSorted(), (await xiangyun.texts()).toSorted(), 'what both see')
  })

  await step('after a reload every word is found again', async () => {
    const words = await xiangyun.texts()
    await xiangyun.page.reload()
    await until('the group’s words are there', async () => JSON.stringify(await xiangyun.texts()) === JSON.stringify(words))
    await xiangyun.open('林黛玉')
    await until('the pair’s words are there', async () => {
      const texts = await xiangyun.texts()
      return JSON.stringify(texts) === JSON.stringify(['云妹妹来了？😀', '来了！<b>&amp;\n第二行', '好的', '这句从另一个窗口也看得见', '这句也是']) || texts
    })
  })

  await step('a long history is read by scrolling up, and the place is kept', async () => {
    await xiangyun.open('林黛玉')
    await daiyu.open('史湘云')
    for (const text of manyLines) await daiyu.say(text)
    await daiyu.seesState(manyLines.at(-1), '已读', 30_000)
    await xiangyun.page.reload()
    await xiangyun.sees(manyLines.at(-1))
    equal((await xiangyun.texts()).includes('云妹妹来了？😀'), false, 'the first page holds the oldest word')
    await xiangyun.log.hover()
    await until('the beginning', async () => {
      await xiangyun.page.mouse.wheel(0, -400)
      return (await xiangyun.page.getByText('聊天从这里开始').count()) === 1
    })
    equal((await xiangyun.texts()).slice(5), manyLines, 'all words in order')
    // Somebody who reads far up keeps the place and is told of what is new.
    await daiyu.say('看这里')
    await xiangyun.button('1 条新消息').click()
    await xiangyun.said('看这里').waitFor()
    await until('the newest is in sight', () => xiangyun.said('看这里').isVisible())
  })

  await step('a nickname is changed', async () => {
    await xiangyun.button(/设置/, false).click()
    await xiangyun.page.getByRole('textbox', { name: '昵称' }).fill('枕霞旧友')
    await xiangyun.button('保存').click()
    await xiangyun.page.getByText('已保存').waitFor()
    await xiangyun.page.keyboard.press('Escape')
    await xiangyun.button(/^枕霞旧友.*设置/, false).waitFor()
    await daiyu.page.reload()
    await daiyu.open('枕霞旧友')
  })

  await step('without a mouse: enter, open, write, send', async () => {
    const page = await window_('keyboard', desktop)
    await page.goto(server.origin)
    await page.getByRole('listitem').first().waitFor()
    const reach = async (locator, key = 'Tab') => {
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press(key)
        if (await locator.evaluate((element) => element === document.activeElement)) return
      }
      throw new Error(`${key} never reaches ${locator}`)
    }
    await reach(page.getByRole('button', { name: '以贾宝玉的身份进入' }))
    await page.keyboard.press('Enter')
    const person = new Person(page, '贾宝玉')
    await reach(page.getByRole('tab', { name: '聊天' }))
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await page.getByText('爱哥哥，是我，湘云！').waitFor() // the demo's waiting application
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await reach(person.row('林黛玉'))
    await page.keyboard.press('Enter')
    await until('the field has the focus', () => person.field.evaluate((element) => element === document.activeElement))
    await page.keyboard.type('只用键盘写的')
    await page.keyboard.press('Enter')
    await person.seesSent('只用键盘写的')
    await page.context().close()
    pages.delete('keyboard')
  })

  await step('the picture of the page', async () => {
    await daiyu.open('海棠诗社')
    const baoyu = new Person(await window_('baoyu', desktop), '贾宝玉')
    await baoyu.enter(server.origin)
    await baoyu.open('海棠诗社')
    await baoyu.say('秋容浅淡映重门，七节攒成雪满盆。')
    await daiyu.sees('秋容浅淡映重门，七节攒成雪满盆。')
    await baoyu.say('林妹妹这首该是第一！')
    await daiyu.sees('林妹妹这首该是第一！')
    await daiyu.say('且慢夸口，明日再论高下。')
    await baoyu.sees('且慢夸口，明日再论高下。')
    await daiyu.seesSent('且慢夸口，明日再论高下。')
    await daiyu.details()
    await picture(daiyu.page, 'page')
    if (process.argv.includes('--picture')) await daiyu.page.screenshot({ path: resolve(root, '../docs/page.png') })
    await baoyu.page.context().close()
    pages.delete('baoyu')
  })

  for (const colorScheme of ['light', 'dark']) {
    await step(`axe finds nothing serious, ${colorScheme}`, async () => {
      const { page } = daiyu
      await page.emulateMedia({ colorScheme })
      await accessible(page, 'a group with details')
      await picture(page, `group-${colorScheme}`)
      for (const name of [/通讯录/, /申请/, /聊天/]) {
        await daiyu.pane(name)
        await accessible(page, String(name))
      }
      for (const item of ['加好友', '建群', '加群']) {
        await daiyu.choose(item)
        await accessible(page, item)
        await page.keyboard.press('Escape')
      }
      await daiyu.button(/设置/, false).click()
      await accessible(page, 'settings')
      await page.keyboard.press('Escape')
    })

    await step(`a phone of 360 pixels shows one zone at a time, ${colorScheme}`, async () => {
      const page = await window_(`phone-${colorScheme}`, { ...phone, colorScheme, locale: 'en-GB' })
      await page.goto(server.origin)
      await accessible(page, 'welcome on a phone')
      await page.getByRole('button', { name: 'Be 薛宝钗' }).tap()
      await page.getByText('Connected').waitFor()
      const list = page.getByRole('list', { name: 'Chats' })
      await list.getByRole('button', { name: /海棠诗社/ }).tap()
      await page.getByText('珍重芳姿昼掩门，自携手瓮灌苔盆。').waitFor()
      equal(await list.isVisible(), false, 'the list beside the chat')
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      equal(wide, 360, 'the width of the page')
      await accessible(page, 'a chat on a phone')
      await picture(page, `phone-${colorScheme}`)
      await page.getByRole('button', { name: 'Details', exact: true }).tap()
      await page.getByRole('complementary', { name: 'Details' }).getByText('王熙凤').waitFor()
      await accessible(page, 'details on a phone')
      await page.getByRole('button', { name: 'Hide details', exact: true }).tap()
      await page.goBack()
      await list.waitFor()
      await page.context().close()
      pages.delete(`phone-${colorScheme}`)
    })
  }

  await step('a group is left and deleted, a friend removed; the other one is told', async () => {
    await daiyu.page.emulateMedia({ colorScheme: 'light' })
    await xiangyun.open(group)
    const mine = await xiangyun.details()
    await mine.getByRole('button', { name: '退出群聊' }).click()
    await xiangyun.page.getByRole('dialog').getByRole('button', { name: '退出群聊' }).click()
    await xiangyun.page.getByText('你不在这个群里').waitFor()
    await xiangyun.sees('我都收到了') // one's own past stays readable
    await daiyu.open(group)
    const details = await daiyu.details()
    await details.getByText('1 人').waitFor()
    await details.getByRole('button', { name: '解散群聊' }).click()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '解散群聊' }).click()
    await daiyu.page.getByText('你不在这个群里').waitFor()

    await daiyu.open('枕霞旧友')
    await (await daiyu.details()).getByRole('button', { name: '删除好友' }).click()
    await daiyu.page.getByRole('dialog').getByRole('button', { name: '删除好友' }).click()
    await daiyu.page.getByText('你们现在不是好友').waitFor()
    await xiangyun.page.getByText('林黛玉解除了与你的好友关系').waitFor()
  })

  await step('a refused message says why, and can be sent again', async () => {
    await xiangyun.open('林黛玉')
    await xiangyun.say('还在吗？')
    await xiangyun.page.getByText('未发送：你们不是好友').waitFor()
    await xiangyun.page.getByRole('region', { name: '林黛玉' }).getByRole('button', { name: '加好友' }).click()
    await daiyu.pane(/申请/)
    await daiyu.button('同意枕霞旧友').click()
    await xiangyun.page.getByText('林黛玉同意了你的好友申请').last().waitFor()
    await xiangyun.button('重新发送').click()
    await xiangyun.seesSent('还在吗？')
    await daiyu.open('枕霞旧友')
    await daiyu.sees('还在吗？')
  })

  await step('a link with a bad token is refused, and taken out of the address', async () => {
    const page = await window_('stranger', desktop)
    const claims = Buffer.from(JSON.stringify({ sub: 'daiyu', name: '林黛玉' })).toString('base64url')
    await page.goto(`${server.origin}/#token=e30.${claims}.forged`)
    await page.getByText('令牌无效或已过期').waitFor()
    equal(new URL(page.url()).hash, '', 'the address')
    await page.context().close()
    pages.delete('stranger')
  })

  await step('nothing was asked of anybody but the program, and the browser had nothing to complain of', async () => {
    equal(foreign, [], 'foreign requests')
    equal(problems, [], 'errors in the browser')
  })
} finally {
  await browser.close()
  await server.remove()
}

console.log(`${steps.passed} passed, ${steps.failed} failed`)
process.exitCode = steps.failed === 0 ? 0 : 1
