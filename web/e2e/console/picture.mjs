// docs/console.png: the overview while people chat.
import { resolve } from 'node:path'
import WebSocket from 'ws'
import { root } from '../stage.mjs'
import { say } from './chat.mjs'
import { Visitor } from './visitor.mjs'

const lasts = 75_000 // milliseconds of chatting before the picture

export async function picture(stage) {
  await stage.step('the picture of the console', async () => {
    const { server } = stage
    const people = await (await fetch(`${server.origin}/demo/people`)).json()
    const sockets = people.map(({ token }) => {
      const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/ws`)
      socket.on('open', () => socket.send(JSON.stringify({ url: '/chat/login', params: { token, uniqueNo: '1' } })))
      return socket
    })
    const talk = [['baoyu', 'daiyu'], ['daiyu', 'baoyu'], ['baochai', 'daiyu'], ['xifeng', 'baoyu'], ['baoyu', 'baochai']]
    const begun = Date.now()
    for (let n = 0; Date.now() - begun < lasts; n++) {
      const now = (Date.now() - begun) / 1000
      await say(server, ...talk[n % talk.length], `第 ${n} 句`)
      await new Promise((done) => setTimeout(done, 60 + 50 * (1 + Math.sin(now / 6))))
    }
    const ada = await Visitor.enter(stage, 'admin', 'picture', { deviceScaleFactor: 2, locale: 'en-GB' })
    await ada.open('overview')
    await ada.page.locator('canvas').nth(1).waitFor()
    await stage.picture(ada.page, 'picture', resolve(root, '../docs/console.png'))
    await ada.leave()
    for (const socket of sockets) socket.close()
  })
}
