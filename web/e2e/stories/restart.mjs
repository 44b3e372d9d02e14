// The program dies in the middle of it all, and nothing is lost.
import { equal, until } from '../steps.mjs'

// 葬花吟
const burst = ['花谢花飞花满天', '红消香断有谁怜', '游丝软系飘春榭', '落絮轻沾扑绣帘', '闺中女儿惜春暮', '愁绪满怀无释处', '手把花锄出绣帘', '忍踏落花来复去', '柳丝榆荚自芳菲', '不管桃飘与李飞', '桃李明年能再发', '明年闺中知有谁']

export async function restart(stage) {
  const { daiyu, xiangyun } = stage
  let before

  await stage.step('the program is killed; both windows say so and stay usable', async () => {
    before = await xiangyun.texts()
    stage.down = true
    await stage.server.kill()
    await daiyu.page.getByText('连接断开').waitFor()
    await xiangyun.page.getByText('连接断开').waitFor()
    await daiyu.say('断线了也接着写：孤标傲世偕谁隐？')
    await daiyu.say('一样花开为底迟？')
    await daiyu.seesState('断线了也接着写：孤标傲世偕谁隐？', '发送中')
    await daiyu.seesState('一样花开为底迟？', '发送中')
    await stage.picture(daiyu.page, 'disconnected')
  })

  await stage.step('it starts again on the same data; what was written meanwhile arrives, once, in order', async () => {
    await stage.server.start()
    await daiyu.page.getByText('连接断开').waitFor({ state: 'detached', timeout: 30_000 })
    await xiangyun.page.getByText('连接断开').waitFor({ state: 'detached', timeout: 30_000 })
    stage.down = false
    const written = ['断线了也接着写：孤标傲世偕谁隐？', '一样花开为底迟？']
    for (const text of written) await daiyu.seesSent(text)
    for (const text of written) await xiangyun.sees(text)
    equal(await xiangyun.texts(), [...before, ...written], 'the other one’s words')
    equal(await daiyu.texts(), [...before, ...written], 'the own words')
    await xiangyun.say('我都收到了')
    await daiyu.sees('我都收到了')
  })

  await stage.step('killed again in the middle of sending: every word stands once', async () => {
    for (const text of burst.slice(0, 6)) await daiyu.say(text)
    stage.down = true
    const killed = stage.server.kill()
    for (const text of burst.slice(6)) await daiyu.say(text)
    await killed
    await stage.server.start()
    for (const text of burst) await daiyu.seesSent(text, 30_000)
    stage.down = false
    await until('the other one has all of them', async () => {
      const texts = (await xiangyun.texts()).filter((text) => burst.includes(text))
      return JSON.stringify(texts.toSorted()) === JSON.stringify(burst.toSorted()) || texts
    })
    equal(await daiyu.texts(), await xiangyun.texts(), 'what both see, in the order of the log')
  })

  await stage.step('after a reload every word is found again', async () => {
    const words = await xiangyun.texts()
    await xiangyun.page.reload()
    await until('the group’s words are there', async () => JSON.stringify(await xiangyun.texts()) === JSON.stringify(words))
    await xiangyun.open('林黛玉')
    await until('the pair’s words are there', async () => {
      const texts = await xiangyun.texts()
      return JSON.stringify(texts) === JSON.stringify(['云妹妹来了？😀', '来了！<b>&amp;\n第二行', '好的', '这句从另一个窗口也看得见', '这句也是']) || texts
    })
  })
}
