// The stories name the page's texts in Chinese. In English they ask for what
// stands under the same key there; what people say and are called is no text
// of the page and stays as it is.
import { readFileSync } from 'node:fs'
import ts from 'typescript'

async function dictionary(name) {
  const source = readFileSync(new URL(`../src/i18n/${name}.ts`, import.meta.url), 'utf8')
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } })
  return (await import(`data:text/javascript,${encodeURIComponent(outputText)}`))[name]
}

const [zh, en] = await Promise.all(['zh', 'en'].map(dictionary))

const placeholder = /\{(\w+)\}/g
const numbers = ['count', 'seconds', 'limit']
const bare = (text) => text.replace(placeholder, '').trim()
const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const whole = new Map() // a text as it is
const parts = new Map() // what of it stands without its values, or before its first stop
const forms = [] // what values are put into
for (const [key, chinese] of Object.entries(zh)) {
  const add = (map, from, to) => from && !map.has(from) && map.set(from, to)
  const names = [...chinese.matchAll(placeholder)].map((match) => match[1])
  const head = chinese.split(/[，。：；]/)[0]
  if (head.length >= 4 && !head.includes('{')) add(parts, head, en[key].split(/[,.:;]/)[0])
  if (names.length === 0) {
    add(whole, chinese, en[key])
    continue
  }
  add(parts, bare(chinese), bare(en[key]))
  // Where next to nothing of the page is around a value, anybody's words would fit.
  if (names.some((name) => !numbers.includes(name)) && !/\p{Script=Han}{2}/u.test(chinese)) continue
  const pattern = chinese.split(placeholder).map((part, i) => (i % 2 === 0 ? escaped(part) : numbers.includes(part) ? '(\\d+)' : '(.+)'))
  forms.push({ pattern: new RegExp(`^${pattern.join('')}$`, 'u'), names, english: en[key], fixed: bare(chinese).length })
}
forms.sort((a, b) => b.fixed - a.fixed)

let language = 'zh'

export function speak(chosen) {
  if (chosen !== 'zh' && chosen !== 'en') throw new Error(`the page has no language ${chosen}`)
  language = chosen
}

/** A text of the page, or an expression of such texts, in the language of this run. */
export function t(text) {
  if (language === 'zh') return text
  if (text instanceof RegExp) return new RegExp(text.source.replace(/\p{Script=Han}+/gu, t), text.flags)
  if (typeof text !== 'string') return text
  const found = whole.get(text) ?? parts.get(text)
  if (found !== undefined) return found
  for (const { pattern, names, english } of forms) {
    const values = pattern.exec(text)?.slice(1)
    if (values) return english.replace(placeholder, (_, name) => t(values[names.indexOf(name)]))
  }
  return text
}

/** What only one of the languages can say in this way. */
export function either(chinese, english) {
  return language === 'zh' ? chinese : english
}

const translated = new WeakSet()

/** From now on pages and what is found in them are asked in the language of the run. */
export function translate(page) {
  for (const asked of [page, page.locator('body')].map(Object.getPrototypeOf)) {
    if (translated.has(asked)) continue
    translated.add(asked)
    const { getByRole, getByText } = asked
    asked.getByRole = function (role, options) {
      return getByRole.call(this, role, options?.name === undefined ? options : { ...options, name: t(options.name) })
    }
    asked.getByText = function (text, options) {
      return getByText.call(this, t(text), options)
    }
  }
}
