// How the page looks and whom it shuts out: themes, widths, languages.
import { resolve } from 'node:path'
import { accessible } from '../accessibility.mjs'
import { Person } from '../person.mjs'
import { desktop, phone, root } from '../stage.mjs'
import { equal } from '../steps.mjs'

export async function looks(stage) {
  const { daiyu } = stage

  await stage.step('the picture of the page', async () => {
    await daiyu.open('海棠诗社')
    const baoyu = new Person(await stage.open('baoyu', desktop), '贾宝玉')
    await baoyu.enter(stage.server.origin)
    await baoyu.open('海棠诗社')
    const talk = [
      [baoyu, '秋容浅淡映重门，七节攒成雪满盆。'],
      [baoyu, '林妹妹这首风流别致，该是第一！'],
      [daiyu, '若论含蓄浑厚，终让蘅芜稿。'],
      [baoyu, '也罢，你们都评得公道。\n明日以菊为题，螃蟹宴上见？'],
      [daiyu, '好。迟到的罚三杯。🌼'],
    ]
    for (const [speaker, text] of talk) {
      await speaker.say(text)
      await (speaker === baoyu ? daiyu : baoyu).sees(text)
    }
    await daiyu.seesSent(talk.at(-1)[1])
    await daiyu.details()
    await stage.picture(daiyu.page, 'page')
    if (process.argv.includes('--picture')) await stage.picture(daiyu.page, 'page', resolve(root, '../docs/page.png'))
    await stage.close('baoyu')
  })

  for (const colorScheme of ['light', 'dark']) {
    await stage.step(`axe finds nothing serious, ${colorScheme}`, async () => {
      const { page } = daiyu
      await page.emulateMedia({ colorScheme })
      await accessible(page, 'a group with details')
      await stage.picture(page, `group-${colorScheme}`)
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

    await stage.step(`a phone of 360 pixels shows one zone at a time, ${colorScheme}`, async () => {
      const page = await stage.open(`phone-${colorScheme}`, { ...phone, colorScheme, locale: 'en-GB' })
      await page.goto(stage.server.origin)
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
      await stage.picture(page, `phone-${colorScheme}`)
      await page.getByRole('button', { name: 'Details', exact: true }).tap()
      await page.getByRole('complementary', { name: 'Details' }).getByText('王熙凤').waitFor()
      await accessible(page, 'details on a phone')
      await page.getByRole('button', { name: 'Hide details', exact: true }).tap()
      await page.goBack()
      await list.waitFor()
      await stage.close(`phone-${colorScheme}`)
    })
  }
}
