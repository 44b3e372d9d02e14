/** A piece of a message as it is shown. */
export type Part = { kind: 'text'; text: string } | { kind: 'link'; text: string; href: string } | { kind: 'mention'; text: string; userId: string }

// What ends an address: space, quotes, brackets that open elsewhere, Chinese
// punctuation, and characters that change the direction of writing.
const address = /https?:\/\/[^\s<>"'`，。！？；：、（）《》「」『』【】…\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/giu
const trailing = /[.,;:!?*_~'"]$/

/**
 * Takes a text apart into words, links and names of those it mentions. Nothing
 * of it is ever read as HTML; only http and https become links, and none with a
 * user name in it, since it would seem to lead elsewhere.
 */
export function partsOf(text: string, mentioned: readonly { userId: string; names: readonly string[] }[] = []): Part[] {
  const parts: Part[] = []
  let at = 0
  for (const match of text.matchAll(address)) {
    const link = linkOf(match[0])
    if (!link) continue
    parts.push(...namesIn(text.slice(at, match.index), mentioned), link)
    at = match.index + link.text.length
  }
  parts.push(...namesIn(text.slice(at), mentioned))
  return parts
}

function linkOf(found: string): (Part & { kind: 'link' }) | undefined {
  let text = found
  for (;;) {
    const open = text.split('(').length
    const closed = text.split(')').length
    if (trailing.test(text) || (text.endsWith(')') && closed > open)) text = text.slice(0, -1)
    else break
  }
  try {
    const url = new URL(text)
    if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '') return undefined
    return { kind: 'link', text, href: url.href }
  } catch {
    return undefined
  }
}

function namesIn(text: string, mentioned: readonly { userId: string; names: readonly string[] }[]): Part[] {
  const wanted = mentioned
    .flatMap(({ userId, names }) => names.map((name) => ({ userId, mark: `@${name}` })))
    .sort((a, b) => b.mark.length - a.mark.length) // @黛玉儿 is not @黛玉
  const parts: Part[] = []
  let plain = ''
  for (let at = 0; at < text.length; ) {
    const found = text[at] === '@' ? wanted.find(({ mark }) => text.startsWith(mark, at)) : undefined
    if (!found) {
      plain += text[at++]
      continue
    }
    if (plain !== '') parts.push({ kind: 'text', text: plain })
    plain = ''
    parts.push({ kind: 'mention', text: found.mark, userId: found.userId })
    at += found.mark.length
  }
  if (plain !== '') parts.push({ kind: 'text', text: plain })
  return parts
}
