import { accessible } from '../../accessibility.mjs'
import { equal, until } from '../../steps.mjs'
import { say } from '../chat.mjs'
import { Visitor } from '../visitor.mjs'

export async function story(stage) {
  const { server } = stage
  let ada
  const list = () => ada.page.getByRole('list', { name: /Events as they come/ })
  const live = () => ada.page.getByText('Following the log').waitFor()

  await stage.step('what is said appears at once; filters stand in the address', async () => {
    ada = await Visitor.enter(stage, 'admin', 'tail')
    await ada.open('tail')
    await live()
    await say(server, 'baoyu', 'daiyu', '今日起得早。')
    await list().getByText('今日起得早。').waitFor()
    await accessible(ada.page, 'the live tail')
    await ada.page.getByLabel('Stream').fill('p|baochai|daiyu')
    await ada.page.keyboard.press('Enter')
    await until('the address has the filter', async () => new URL(ada.page.url()).hash.includes('stream=p%7Cbaochai%7Cdaiyu'))
    await live()
    await say(server, 'baoyu', 'daiyu', '这句不该出现。')
    await say(server, 'baochai', 'daiyu', '这句该出现。')
    await list().getByText('这句该出现。').waitFor()
    equal(await list().getByText('这句不该出现。').count(), 0, 'what the filter keeps out')
  })

  await stage.step('while paused events wait; a flood is throttled and what was skipped is counted', async () => {
    const { page } = ada
    await ada.open('tail', { rate: '10' })
    await live()
    await page.getByRole('button', { name: 'Pause' }).click()
    await say(server, 'baoyu', 'daiyu', '等一等。')
    await page.getByText('Paused, 1 events wait').waitFor()
    await page.getByRole('button', { name: 'Go on' }).click()
    await list().getByText('等一等。').waitFor()
    await Promise.all(Array.from({ length: 120 }, (_, i) => say(server, i % 2 ? 'baoyu' : 'daiyu', i % 2 ? 'daiyu' : 'baoyu', `雨点 ${i}`)))
    await page.getByText(/events were skipped here: they came faster than 10 a second/).first().waitFor()
    await until('shown and skipped together are all', async () => {
      const [shown, skipped] = (await page.getByText(/\d+ shown, \d+ skipped/).textContent()).match(/\d+/g).map(Number)
      return shown + skipped === 121 && skipped > 0 ? true : `${shown} + ${skipped}`
    }, 20_000)
    await ada.leave()
  })

  await stage.step('a connection that breaks is made again, and nothing is missed', async () => {
    const server = await stage.another('broken')
    await server.start()
    ada = await Visitor.enter(stage, 'admin', 'broken', { server })
    await ada.open('tail', { stream: 'p|baoyu|daiyu' })
    await live()
    await say(server, 'baoyu', 'daiyu', '断线之前。')
    await list().getByText('断线之前。').waitFor()
    const problems = stage.problems.length
    stage.down = true
    await ada.page.waitForTimeout(6000) // a cursor comes every five seconds
    await server.kill()
    await ada.page.getByText('The connection broke, trying again…').waitFor()
    await server.start()
    await say(server, 'daiyu', 'baoyu', '断线之后。')
    await live()
    await list().getByText('断线之后。').waitFor()
    equal(await list().getByText('断线之前。').count(), 1, 'what was there before, once')
    stage.down = false
    stage.problems.length = problems
    await ada.leave()
    await server.kill()
    stage.meanwhile = {
      ...stage.meanwhile,
      tail: async (ada) => {
        for (const [i, text] of ['珍重芳姿昼掩门，自携手瓮灌苔盆。', '胭脂洗出秋阶影，冰雪招来露砌魂。', '淡极始知花更艳，愁多焉得玉无痕。'].entries()) {
          await say(stage.server, ['baochai', 'daiyu', 'baoyu'][i], ['daiyu', 'baoyu', 'daiyu'][i], text)
          await ada.page.getByText(text).waitFor()
        }
      },
    }
  })
}
