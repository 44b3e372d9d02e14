// Avatars are made of a name and a colour; nothing is fetched for them.

// Old Chinese dyes, all dark enough for white writing.
const dyes = ['#425066', '#2b6a80', '#3f6b52', '#9d2933', '#8a5426', '#6b4a7d', '#9a4d28', '#50616d', '#59682c', '#7b3f61', '#2e5e8c', '#7a5c1e']

/** The same id always has the same colour. */
export function colourOf(id: string): string {
  let hash = 2166136261
  for (const char of id) hash = Math.imul(hash ^ char.codePointAt(0)!, 16777619)
  hash ^= hash >>> 11
  return dyes[(hash >>> 0) % dyes.length]!
}

const han = /\p{Script=Han}/u

/** 林黛玉 → 黛玉, 海棠诗社 → 海棠, Ada Lovelace → AL, bob → B. */
export function initialsOf(name: string, group = false): string {
  const chars = Array.from(name.trim())
  const hans = chars.filter((char) => han.test(char))
  if (hans.length > 0 && hans.length * 2 >= chars.length) {
    if (group) return hans.slice(0, 2).join('')
    return hans.slice(hans.length > 2 ? -2 : 0).join('')
  }
  const words = name.trim().split(/[\s_\-.|]+/).filter(Boolean)
  const first = words[0] === undefined ? '?' : Array.from(words[0])[0]!
  const second = words.length > 1 ? Array.from(words[1]!)[0]! : ''
  return (first + second).toUpperCase()
}

export type Picture = { kind: 'sign'; text: string } | { kind: 'image'; src: string }

const image = /^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+=*$/
const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/**
 * What an avatar or a group's picture shows: one or two signs, or an image that
 * it holds itself. An address of somewhere else shows nothing: whoever is
 * looked at would learn of everybody who looks.
 */
export function pictureOf(avatar: string): Picture | undefined {
  if (image.test(avatar)) return { kind: 'image', src: avatar }
  if (avatar === '' || avatar.length > 24) return undefined
  return [...segments.segment(avatar)].length <= 2 ? { kind: 'sign', text: avatar } : undefined
}
