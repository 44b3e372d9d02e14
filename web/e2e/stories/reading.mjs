// What has gone on for long, and what goes on without a mouse.
import { Person } from '../person.mjs'
import { desktop } from '../stage.mjs'
import { equal, until } from '../steps.mjs'

const manyLines = Array.from({ length: 60 }, (_, i) => `第${i + 1}句：一字一句都记着`)

export async function reading(stage) {
  const { daiyu, xiangyun } = stage

  await stage.step('a long history is read by scrolling up, and the place is kept', async () => {
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
    await daiyu.say('翻完了？快看这一句。')
    await xiangyun.button('1 条新消息').click()
    await xiangyun.said('翻完了？快看这一句。').waitFor()
    await until('the newest is in sight', () => xiangyun.said('翻完了？快看这一句。').isVisible())
  })

  await stage.step('a nickname is changed', async () => {
    await xiangyun.button(/设置/, false).click()
    await xiangyun.page.getByRole('textbox', { name: '昵称' }).fill('枕霞旧友')
    await xiangyun.page.getByRole('dialog').getByRole('button', { name: '保存' }).click()
    await xiangyun.page.getByRole('dialog').getByText('已保存').waitFor()
    await xiangyun.page.keyboard.press('Escape')
    await xiangyun.button(/^枕霞旧友.*设置/, false).waitFor()
    await daiyu.page.reload()
    await daiyu.open('枕霞旧友')
  })

  await stage.step('without a mouse: enter, open, write, send', async () => {
    const page = await stage.open('keyboard', desktop)
    await page.goto(stage.server.origin)
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
    await page.keyboard.type('这一句没有用鼠标，也送到了。')
    await page.keyboard.press('Enter')
    await person.seesSent('这一句没有用鼠标，也送到了。')
    await stage.close('keyboard')
  })
}
