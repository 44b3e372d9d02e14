// What is read is told, and stays told.
import { t } from '../language.mjs'
import { equal, until } from '../steps.mjs'

const lines = Array.from({ length: 40 }, (_, i) => `慢慢读的第${i + 1}行`)

export async function marks(stage) {
  const { daiyu, xiangyun } = stage

  await stage.step('the mark moves as somebody reads, and the other one’s “read” outlives a reload', async () => {
    await daiyu.open('枕霞旧友')
    await xiangyun.open('菊花诗社')
    for (const text of lines) await daiyu.say(text)
    await daiyu.seesSent(lines.at(-1), 30_000)
    await xiangyun.row('林黛玉').getByText('40 条未读').waitFor({ state: 'attached' })
    await xiangyun.open('林黛玉')
    // The first of the new ones is at the top, so the last ones are still unread.
    await until('some are read, others not', async () => {
      const left = t(/^(\d+) 条新消息/).exec((await xiangyun.page.getByRole('button', { name: /条新消息/ }).innerText({ timeout: 1000 })) ?? '')
      return left !== null && Number(left[1]) > 5 && Number(left[1]) < 40
    })
    await daiyu.log.evaluate((log) => log.scrollTo(0, 0))
    await until('the other one sees how far', async () => {
      await daiyu.page.mouse.wheel(0, 0)
      const [first, last] = await Promise.all([lines[0], lines.at(-1)].map((text) => daiyu.said(text).getByText('已读').count()))
      return first === 1 && last === 0
    })
    await xiangyun.button(/条新消息/, false).click()
    await daiyu.seesState(lines.at(-1), '已读')
    await daiyu.page.reload()
    await daiyu.seesState(lines.at(-1), '已读')
    equal(await daiyu.said(lines.at(-1)).getByText('已读').count(), 1, 'read after a reload')
  })

  await stage.step('who is there is seen to be online, and gone when gone', async () => {
    await daiyu.pane('通讯录')
    const row = daiyu.page.getByRole('button', { name: /^枕霞旧友/ }).first()
    await row.getByText('在线').waitFor()
    await daiyu.pane('聊天')
  })
}
