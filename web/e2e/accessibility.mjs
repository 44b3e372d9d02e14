import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Asks axe; throws with what it found that is serious or worse. */
export async function accessible(page, where) {
  await page.evaluate(source)
  // Colours are judged as they come to rest.
  await page.waitForFunction(() => document.getAnimations().every((animation) => animation.playState !== 'running'))
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations', 'passes'] }))
  if (passes.length < 10) throw new Error(`${where}: axe looked at next to nothing (${passes.length} rules)`)
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  if (serious.length > 0) {
    const lines = serious.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.target.join(' ')} ${node.any.map((one) => one.message).join('; ')}`))
    throw new Error(`${where}: ${lines.join('\n')}`)
  }
}
