// How every page looks, and whom it shuts out: in both languages and themes, wide
// and on a phone, as its address alone opens it.
import { accessible } from '../accessibility.mjs'
import { desktop, phone } from '../stage.mjs'
import { equal } from '../steps.mjs'
import { Visitor } from './visitor.mjs'

const faces = [
  ['en-light', { ...desktop, colorScheme: 'light', locale: 'en-GB' }],
  ['zh-dark', { ...desktop, colorScheme: 'dark', locale: 'zh-CN' }],
  ['phone-zh-light', { ...phone, colorScheme: 'light', locale: 'zh-CN' }],
  ['phone-en-dark', { ...phone, colorScheme: 'dark', locale: 'en-GB' }],
]

export async function looks(stage) {
  for (const [name, options] of faces) {
    await stage.step(`every page, ${name}: axe finds nothing serious, nothing sticks out`, async () => {
      const ada = await Visitor.enter(stage, 'admin', name, { ...options, deviceScaleFactor: 1 })
      const { page } = ada
      const ids = await page.evaluate(() => [...document.querySelectorAll('nav li a')].map((link) => link.hash.replace(/^#\/|\?.*$/g, '')))
      for (const id of ids) {
        // What a story has found is shown here too.
        await ada.open(id, stage.filters?.[id])
        await stage.meanwhile?.[id]?.(ada)
        await accessible(page, `${id}, ${name}`)
        equal(await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)) <= options.viewport.width, true, `${id} fits its width`)
        await stage.picture(page, `${id}-${name}`)
      }
      if (options.isMobile) {
        await page.locator('header.top button').tap()
        await page.getByRole('navigation').waitFor()
        await accessible(page, `the menu, ${name}`)
        await stage.picture(page, `menu-${name}`)
      }
      await ada.leave()
    })
  }
}
