import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import Ajv, { type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'

// The description of the socket is held against AsyncAPI's own JSON Schema, and
// every reference in it leads somewhere.

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

const official = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.1.0.json') as object
const written = parse(readFileSync(new URL('../../docs/api/asyncapi.yaml', import.meta.url), 'utf8')) as { [name: string]: Json }
const read = () => structuredClone(written)

let validate: ValidateFunction

// The schema brings draft 07 itself.
beforeAll(() => {
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false, allErrors: false })
  addFormats(ajv)
  validate = ajv.compile(official)
})

function at(document: Json, pointer: string): Json | undefined {
  let here: Json | undefined = document
  for (const part of pointer.slice(2).split('/')) here = (here as { [name: string]: Json } | undefined)?.[part]
  return here
}

function references(value: Json, found: string[] = []): string[] {
  if (Array.isArray(value)) value.forEach((v) => references(v, found))
  else if (value && typeof value === 'object') {
    for (const [name, v] of Object.entries(value)) {
      if (name === '$ref') found.push(v as string)
      else references(v, found)
    }
  }
  return found
}

describe('docs/api/asyncapi.yaml', () => {
  test('is AsyncAPI 3.1.0', () => {
    const document = read()
    expect(document.asyncapi).toBe('3.1.0')
    expect(validate(document), JSON.stringify(validate.errors?.slice(0, 3), null, 1)).toBe(true)
  })

  test('refers to what is there', () => {
    const document = read()
    const found = references(document)
    expect(found.length).toBeGreaterThan(100)
    expect(found.filter((pointer) => !pointer.startsWith('#/') || at(document, pointer) === undefined)).toEqual([])
  })

  test('what is wrong in it would be found', () => {
    for (const spoil of [
      (d: any) => delete d.info.title,
      (d: any) => (d.operations.chatSendMessage.action = 'publish'),
      (d: any) => (d.channels.socket.messages.push1 = 'push1'),
      (d: any) => (d.asyncapi = '2.6.0'),
      (d: any) => (d.components.schemas.Push1.type = 'thing'),
      (d: any) => (d.somethingElse = true),
    ]) {
      const document = read()
      spoil(document)
      expect(validate(document), spoil.toString()).toBe(false)
    }
  })
})
