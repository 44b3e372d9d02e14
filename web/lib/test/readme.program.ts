import { afterAll, beforeAll, expect, test } from 'vitest'
import readme from '../README.md?raw'
import { Person, Program, until } from './person.ts'

let program: Program
beforeAll(async () => {
  program = await Program.start()
}, 100_000)
afterAll(() => program?.remove())

test('the first example of the README, installed as a package, says its word', { timeout: 60_000 }, async () => {
  const baoyu = await new Person(program, 'baoyu').live()
  const example = program.example(/```ts\n([\s\S]*?)```/.exec(readme)![1]!, program.token('daiyu'))
  await until(() => baoyu.texts.length > 0, 'the word is heard')
  expect(baoyu.texts).toEqual(['你好'])
  await baoyu.client.command('/chat/sendMessage', { receiveUserId: 'daiyu', messageContent: '妹妹' })
  await until(() => example.output.includes('baoyu: 妹妹\n'), 'the example prints what it hears')
  expect(example.output).toMatch(/^it stands in the log at c\d-\d+\nbaoyu: 妹妹\n$/)
  example.end()
  baoyu.client.stop()
})
