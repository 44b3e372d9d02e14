// Verifies a package as lishi-verify does: the same steps in the same order, the
// same words for what is wrong. docs/audit.md has the format.
'use strict'

const FORMAT = 'lishi package v1'
const PROOF_FORMAT = 'lishi package proof v1'
const MESSAGE_COLUMNS = [
  'position', 'message', 'version', 'conversation', 'actor', 'actor_name', 'said', 'recorded', 'imported',
  'text', 'content_type', 'reply_to', 'at_users',
]
const VERSIONS = { 'message.sent': 'original', 'message.edited': 'edit', 'message.recalled': 'recall' }

/** A finding: code is one word for the kind of it. */
class Broken extends Error {
  constructor(code, where, what) {
    super(`${where}: ${what}`)
    this.code = code
  }
}

const utf8 = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** UTF-8 as text, or an error. Most is short and ASCII, for which a decoder is slow. */
function text(bytes) {
  if (bytes.length > 100) return decoder.decode(bytes)
  let s = ''
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] > 127) return decoder.decode(bytes)
    s += String.fromCharCode(bytes[i])
  }
  return s
}
/** Go reads half of a surrogate pair as U+FFFD. */
const wellFormed = (s) => s.replace(/\p{Surrogate}/gu, '\ufffd')
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i])
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

function toBase64(bytes) {
  let s = ''
  for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(s)
}

/** Undefined where it is not base64 in its one form. */
function fromBase64(s) {
  if (typeof s !== 'string' || s.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(s)) return undefined
  const binary = atob(s)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return (s.endsWith('=') ? toBase64(bytes.subarray(bytes.length - (bytes.length % 3))) !== s.slice(-4) : false) ? undefined : bytes
}

function fromBase64Url(s) {
  if (typeof s !== 'string' || !/^[A-Za-z0-9_-]*$/.test(s)) return undefined
  return fromBase64(s.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (s.length % 4)) % 4))
}

/** The text of a signed note (c2sp.org/signed-note), or why it is none. */
function openNote(bytes, name, key) {
  const fail = (why) => {
    throw new Error(why)
  }
  let note
  try {
    note = text(bytes)
  } catch {
    fail('it is not a signed note')
  }
  const cut = note.lastIndexOf('\n\n')
  if (cut < 0) fail('it is not a signed note')
  const signed = note.slice(0, cut + 1)
  if (!note.endsWith('\n')) fail('its last line is cut')
  const hash = sha256(utf8.encode(`${name}\n\x01`), key).subarray(0, 4)
  let found = false
  for (const line of note.slice(cut + 2, -1).split('\n')) {
    const rest = line.startsWith('— ') ? line.slice(2) : fail('a line of it is not a signature')
    const space = rest.indexOf(' ')
    const signature = space > 0 ? fromBase64(rest.slice(space + 1)) : undefined
    if (!signature || signature.length < 5) fail('a line of it is not a signature')
    if (rest.slice(0, space) !== name || !same(signature.subarray(0, 4), hash)) continue
    if (!ed25519Verify(key, utf8.encode(signed), signature.subarray(4))) fail('its signature is wrong')
    found = true
  }
  return found ? signed : fail('the key has not signed it')
}

/** Folds a partition's tree from leaves, and from the proof's subtrees. */
class Tree {
  constructor(proof) {
    this.size = 0
    this.roots = []
    this.heights = []
    this.proof = proof
  }

  add(height, hash) {
    this.size += 2 ** height
    while (this.heights.length > 0 && this.heights.at(-1) === height) {
      hash = node(this.roots.pop(), hash)
      height = this.heights.pop() + 1
    }
    this.roots.push(hash)
    this.heights.push(height)
  }

  async fill(to) {
    while (this.size < to) {
      let height = Math.floor(Math.log2(to - this.size))
      if (2 ** height > to - this.size) height--
      while (this.size % 2 ** height !== 0) height--
      this.add(height, await this.proof())
    }
  }

  root() {
    return this.roots.reduceRight((right, left) => node(left, right))
  }
}

const ONE = Uint8Array.of(1)
const ZERO = Uint8Array.of(0)
const node = (left, right) => sha256(ONE, left, right)

/** Reads the canonical encoding of a record. */
function parseRecord(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length)
  let at = 1
  const length = () => {
    at += 4
    return view.getUint32(at - 4)
  }
  const field = () => {
    const n = length()
    if (at + n > raw.length) throw new RangeError()
    at += n
    return raw.subarray(at - n, at)
  }
  try {
    if (raw[0] !== 1) throw new RangeError()
    const record = { raw, key: field(), headers: [] }
    for (let n = length(); n > 0; n--) record.headers.push({ name: field(), value: field() })
    record.value = field()
    if (at !== raw.length) throw new RangeError()
    for (const h of record.headers) {
      h.name = maybeText(h.name)
      h.value = maybeText(h.value)
    }
    record.key = maybeText(record.key)
    return record
  } catch {
    throw new Error('not a canonical record of version 1')
  }
}

function maybeText(bytes) {
  try {
    return text(bytes)
  } catch {
    return undefined
  }
}

const header = (record, name) => record.headers.find((h) => h.name === name)?.value ?? ''

function typeOf(record) {
  const type = header(record, 'ce_type').replace(/^lishi\./, '')
  const cut = type.lastIndexOf('.v')
  return cut < 0 ? type : type.slice(0, cut)
}

function attribute({ name, value }) {
  if (name === undefined || value === undefined) return undefined
  const is = name === 'content-type' ? 'datacontenttype' : name.startsWith('ce_') ? name.slice(3) : ''
  return /^[a-z0-9]+$/.test(is) && is !== 'data' && !is.startsWith('lishi') ? is : undefined
}

/** The line of events.jsonl that a record has; base64 is its canonical encoding. */
function lineOf(position, record, base64) {
  let line = '{'
  const seen = new Set()
  for (const h of record.headers) {
    const name = attribute(h)
    if (name && !seen.has(name)) line += `${JSON.stringify(name)}:${JSON.stringify(h.value)},`
    if (name) seen.add(name)
  }
  line += `"lishiposition":${JSON.stringify(position)},"lishirecord":"${base64}"`
  const value = record.value.every((byte) => byte >= 0x20) ? maybeText(record.value) : undefined
  if (value !== undefined && isJSON(value)) return `${line},"data":${value}}`
  return `${line},"data_base64":"${toBase64(record.value)}"}`
}

function isJSON(s) {
  try {
    JSON.parse(s)
    return true
  } catch {
    return false
  }
}

/** What the first columns of messages.csv say of a record; undefined for what is no message. */
function rowOf(position, record) {
  const version = VERSIONS[typeOf(record)]
  if (!version) return undefined
  if (!header(record, 'ce_type').endsWith('.v1')) throw new Error('a version of the event that this program does not know')
  const body = JSON.parse(text(record.value))
  const users = body.atUserIds ?? []
  const recorded = header(record, 'ce_recordedtime')
  if (!/^[+-]?\d+$/.test(recorded)) throw new Error('no recorded time')
  return [
    position, version === 'original' ? position : (body.message ?? ''), version, record.key, header(record, 'ce_actor'), header(record, 'ce_actorname'),
    header(record, 'ce_time'), new Date(Number(recorded)).toISOString(), String(header(record, 'ce_imported') === 'true'),
    wellFormed(body.content?.plain ?? ''), wellFormed(body.contentType ?? ''), wellFormed(body.replyTo ?? ''),
    users.length > 0 ? `[${users.map((id) => JSON.stringify(wellFormed(id ?? ''))).join(',')}]` : '',
  ]
}

/**
 * Holds the relation events of whole streams against one another, by the log's own
 * rule: one counts if its revision is the one after the newest that counts, and it
 * names that one as its predecessor. Another counts for nothing; but whatever it
 * names as its predecessor stands before it. Where that is missing an event was left out.
 */
class Chain {
  /** What was asked for tells which streams must be whole. */
  constructor(query) {
    if (typeof query !== 'object' || query === null || Array.isArray(query)) throw new Broken('manifest', 'manifest.json', 'its query is none')
    this.streams = []
    this.all = false
    for (const [name, value] of Object.entries(query)) {
      if (value === null || value === '' || value === false || (Array.isArray(value) && value.length === 0) || name === 'formats' || name === 'zone') continue
      if (name === 'all') this.all = true
      else if (name === 'conversations' && Array.isArray(value)) this.streams = value
      else if (name === 'conversations') throw new Broken('manifest', 'manifest.json', 'its query is none')
      else {
        this.streams = [] // what narrows
        this.all = false
        break
      }
    }
  }

  /** Another partition; a stream has all its events in one. */
  next() {
    this.heads = new Map()
    this.seen = new Set()
  }

  add(position, record) {
    const written = header(record, 'ce_revision')
    if (written === '' || (!this.all && !this.streams.includes(record.key))) return
    const revision = /^\d+$/.test(written) ? BigInt(written) : 0n
    if (revision === 0n || revision >= 2n ** 64n) throw new Broken('chain', position, `${JSON.stringify(written)} is no revision`)
    const id = header(record, 'ce_id').toLowerCase()
    const prev = header(record, 'ce_prev').toLowerCase()
    const before = this.heads.get(record.key) ?? { revision: 0n, id: '' }
    if (revision === before.revision + 1n && prev === before.id) this.heads.set(record.key, { revision, id })
    else if (prev !== '' && !this.seen.has(`${record.key}\n${prev}`))
      throw new Broken('chain', position, `it is revision ${revision} of ${record.key} and follows the event ${prev}, which is not here`)
    this.seen.add(`${record.key}\n${id}`)
  }
}

const CHUNK = 1 << 20

/** The bytes of a file, a piece at a time. */
async function* pieces(blob) {
  for (let at = 0; at < blob.size; at += CHUNK) yield new Uint8Array(await blob.slice(at, at + CHUNK).arrayBuffer())
}

/** The lines of a file as bytes, without their ends. */
async function* lines(blob) {
  let rest = new Uint8Array(0)
  for await (const piece of pieces(blob)) {
    const all = joined(rest, piece)
    let begin = 0
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, begin)) {
      yield all.subarray(begin, end)
      begin = end + 1
    }
    rest = all.slice(begin)
  }
  if (rest.length > 0) throw new Error('its last line is cut')
}

/** The rows of a table (RFC 4180, CRLF), byte for byte. */
async function* rowsOf(blob) {
  let rest = new Uint8Array(0)
  for await (const piece of pieces(blob)) {
    const all = joined(rest, piece)
    let at = 0
    for (let row = rowAt(all, at); row; row = rowAt(all, at)) {
      yield row.fields
      at = row.end
    }
    rest = all.slice(at)
  }
  if (rest.length > 0) throw noCSV()
}

const noCSV = () => new Error('it is not CSV as packages have it')

/** The row that begins at a place, and where it ends; undefined if its end is not there yet. */
function rowAt(all, at) {
  for (const fields = []; at < all.length; at++) {
    let end = at
    if (all[at] === 34) {
      let doubled = false
      for (end = all.indexOf(34, at + 1); end >= 0 && all[end + 1] === 34; end = all.indexOf(34, end + 2)) doubled = true
      if (end < 0 || end + 1 === all.length) return undefined
      const field = text(all.subarray(at + 1, end))
      fields.push(doubled ? field.replaceAll('""', '"') : field)
      at = end + 1
    } else {
      while (end < all.length && all[end] !== 44 && all[end] !== 13) {
        if (all[end] === 34 || all[end] === 10) throw noCSV()
        end++
      }
      fields.push(text(all.subarray(at, end)))
      at = end
    }
    if (all[at] === 44) continue
    if (at + 1 >= all.length) return undefined
    if (all[at] !== 13 || all[at + 1] !== 10) throw noCSV()
    return { fields, end: at + 2 }
  }
  return undefined
}

function joined(a, b) {
  const all = new Uint8Array(a.length + b.length)
  all.set(a)
  all.set(b, a.length)
  return all
}

/**
 * Verifies a package: files are its files by name, as Blobs. options.key is the
 * log's public key, if it is known; progress is told the phase and the share that
 * is done; row is given each row of messages.csv. Gives the manifest, or throws
 * what is Broken.
 */
async function verifyPackage(files, { key, progress = () => {}, row = () => {} } = {}) {
  const need = (name) => {
    if (!files.has(name)) throw new Broken('missing', name, 'it is not there')
    return files.get(name)
  }
  const small = async (name) => new Uint8Array(await need(name).arrayBuffer())

  const raw = await small('manifest.json')
  need('manifest.sig')
  let m
  try {
    m = JSON.parse(text(raw))
  } catch (error) {
    throw new Broken('manifest', 'manifest.json', error.message)
  }
  if (!fits(m, MANIFEST) || m.partitions.length === 0 || written(m) !== text(raw))
    throw new Broken('manifest', 'manifest.json', 'it would be written otherwise')
  const own = fromBase64Url(m.key)
  if (m.format !== FORMAT || own?.length !== 32) throw new Broken('manifest', 'manifest.json', `it is not a manifest of ${FORMAT}`)
  if (key && !same(key, own)) throw new Broken('signature', 'manifest.sig', `it is signed with the key ${m.key}, which is not trusted`)
  const open = async (name, keyName, code) => {
    const bytes = await small(name)
    try {
      return openNote(bytes, keyName, own)
    } catch (error) {
      throw new Broken(code, name, error.message)
    }
  }
  if ((await open('manifest.sig', `lishi.package/${m.log}`, 'signature')) !== `${FORMAT}\n${m.log}\n${toBase64(sha256(raw))}\n`)
    throw new Broken('signature', 'manifest.sig', 'it was signed for another manifest')

  await verifyHashes(m, files, need, progress)
  for (const [i, p] of m.partitions.entries()) {
    const name = `checkpoints/${p.partition}.checkpoint`
    const origin = `lishi.log/${m.log}/${p.partition}`
    if ((await open(name, origin, 'checkpoint')) !== `${origin}\n${p.size}\n${p.root}\n` || p.first !== 0 || p.last !== p.size - 1 || p.size < 1)
      throw new Broken('checkpoint', name, "it is not the manifest's")
    if (m.partitions.slice(0, i).some((q) => q.partition === p.partition)) throw new Broken('manifest', 'manifest.json', `it names ${p.partition} twice`)
  }
  if (m.until.split(',').sort().join() !== m.partitions.map((p) => `${p.partition}-${p.last}`).sort().join())
    throw new Broken('manifest', 'manifest.json', 'until is not the last of each partition')
  await new EventReader(m, need, row, progress).read()
  for (const name of ['membership.csv', 'access.csv']) {
    let n = -1
    let width = 0
    try {
      for await (const fields of rowsOf(need(name))) {
        if (n >= 0 && fields.length !== width) throw new Error('it is not CSV as packages have it')
        width = fields.length
        n++
      }
    } catch (error) {
      throw new Broken('message', name, `row ${n + 1}: ${error.message}`)
    }
    if (n !== m.rows[name]) throw new Broken('counts', name, `it has ${n} rows, the manifest says ${m.rows[name]}`)
  }
  return m
}

async function verifyHashes(m, files, need, progress) {
  const listed = new Set(['manifest.json', 'manifest.sig'])
  let total = 0
  let done = 0
  for (const f of m.files) {
    if (listed.has(f.name) || f.name.split('/').some((part) => part === '' || part === '.' || part === '..'))
      throw new Broken('manifest', 'manifest.json', `it can't list ${JSON.stringify(f.name)}`)
    listed.add(f.name)
    total += f.size
  }
  for (const name of ['events.jsonl', 'messages.csv', 'membership.csv', 'access.csv'])
    if (!listed.has(name)) throw new Broken('missing', name, 'the manifest does not list it')
  for (const f of m.files) {
    const blob = need(f.name)
    const h = new Sha256()
    let size = 0
    try {
      for await (const piece of pieces(blob)) {
        h.update(piece)
        size += piece.length
        done += piece.length
        progress('hashing', done / total)
      }
    } catch (error) {
      throw new Broken('altered', f.name, error.message)
    }
    if (size !== f.size || hex(h.digest()) !== f.sha256) throw new Broken('altered', f.name, 'it has other bytes than the manifest says')
  }
  for (const name of [...files.keys()].sort()) if (!listed.has(name)) throw new Broken('extra', name, 'the manifest does not list it')
}

/** Reads events.jsonl once, and beside it messages.csv and the proofs. */
class EventReader {
  constructor(m, need, row, progress) {
    Object.assign(this, { m, need, row, progress })
    this.counts = Object.create(null)
    this.texts = 0
    this.next = 0
    this.lines = 0
    this.chain = new Chain(m.query)
  }

  async line(line) {
    const where = `events.jsonl, line ${this.lines}`
    let says, record, position, written
    try {
      written = text(line)
      says = JSON.parse(written)
      position = says.lishiposition
      const raw = fromBase64(says.lishirecord)
      if (!raw) throw new Error('its record is not base64')
      record = parseRecord(raw)
    } catch (error) {
      throw new Broken('event', where, error.message)
    }
    if (lineOf(position, record, says.lishirecord) !== written) throw new Broken('event', where, 'it does not say what its record says')
    const [, partition, digits] = /^([^-]*)-(\d+)$/.exec(position) ?? []
    const offset = Number(digits)
    if (!Number.isSafeInteger(offset) || String(offset) !== digits) throw new Broken('event', where, `${JSON.stringify(position)} is not a position`)
    await this.leaf(partition, offset, record.raw)
    this.chain.add(position, record)
    const type = typeOf(record)
    this.counts[type] = (this.counts[type] ?? 0) + 1
    await this.compare(position, record)
  }

  async read() {
    this.table = rowsOf(this.need('messages.csv'))
    const columns = await this.nextRow()
    if (!columns || MESSAGE_COLUMNS.some((name, i) => columns[i] !== name)) throw new Broken('message', 'messages.csv', 'its header is not that of messages')
    this.width = columns.length
    const total = Object.values(this.m.events).reduce((a, b) => a + b, 0)
    try {
      for await (const line of lines(this.need('events.jsonl'))) {
        this.lines++
        if (this.lines % 1000 === 0) this.progress('verifying', this.lines / total)
        await this.line(line)
      }
    } catch (error) {
      throw error instanceof Broken ? error : new Broken('event', 'events.jsonl', error.message)
    }
    await this.finish()
    this.skip(undefined)
    if ((await this.nextRow()) !== null) throw new Broken('message', 'messages.csv', 'it has a row of which there is no record')
    const names = new Set([...Object.keys(this.counts), ...Object.keys(this.m.events)])
    if ([...names].some((n) => !Object.hasOwn(this.m.events, n) || this.counts[n] !== this.m.events[n]) || this.texts !== this.m.rows['messages.csv'])
      throw new Broken('counts', 'manifest.json', 'it counts other events than there are')
  }

  /** The next row of messages.csv, null at its end, undefined where it is none. */
  async nextRow() {
    try {
      const { value, done } = await this.table.next()
      return done ? null : value
    } catch {
      return undefined
    }
  }

  /** Passes the manifest's partitions of which nothing was selected. */
  skip(partition) {
    const all = this.m.partitions
    for (; this.next < all.length && all[this.next].partition !== partition; this.next++)
      if (all[this.next].selected !== 0) throw new Broken('counts', 'events.jsonl', `it lacks the events of ${all[this.next].partition}`)
  }

  async leaf(partition, offset, raw) {
    const at = `${partition}-${offset}`
    if (this.part?.partition !== partition) {
      await this.finish()
      this.skip(partition)
      if (this.next === this.m.partitions.length) throw new Broken('proof', at, 'no partition of the manifest is next in order')
      await this.begin(this.m.partitions[this.next++])
      if (offset !== this.part.firstSelected) throw new Broken('counts', at, `the manifest says that ${this.part.firstSelected} is the first`)
    }
    if (offset < this.tree.size || offset >= this.part.size) throw new Broken('proof', at, 'it is out of order or out of range')
    await this.fill(offset, at)
    this.tree.add(0, sha256(ZERO, raw))
    this.found++
  }

  async fill(to, where) {
    try {
      await this.tree.fill(to)
    } catch (error) {
      throw new Broken('proof', where, error.message)
    }
  }

  async begin(part) {
    const name = `proofs/${part.partition}.proof`
    const proof = lines(this.need(name))
    this.part = part
    this.found = 0
    this.chain.next()
    this.proof = proof
    this.tree = new Tree(async () => {
      const { value } = await proof.next()
      const hash = value && fromBase64(maybeText(value))
      if (hash?.length !== 32) throw new Error('its proof lacks a hash')
      return hash
    })
    const first = await proof.next().catch(() => ({}))
    if (!first.value || maybeText(first.value) !== PROOF_FORMAT) throw new Broken('proof', name, `it does not begin with "${PROOF_FORMAT}"`)
  }

  async finish() {
    const p = this.part
    if (!p) return
    const where = `events.jsonl, ${p.partition}`
    if (this.found !== p.selected || this.tree.size - 1 !== p.lastSelected) throw new Broken('counts', where, 'there are other events than the manifest says')
    await this.fill(p.size, where)
    if (!(await this.proof.next().catch(() => ({}))).done) throw new Broken('proof', where, 'its proof has a hash too many')
    if (toBase64(this.tree.root()) !== p.root) throw new Broken('proof', where, "these records are not at these offsets under the checkpoint's root")
    this.part = undefined
  }

  async compare(position, record) {
    let want
    try {
      want = rowOf(position, record)
    } catch (error) {
      throw new Broken('message', position, error.message)
    }
    if (!want) return
    const row = await this.nextRow()
    if (!row || row.length !== this.width) throw new Broken('message', `messages.csv, ${position}`, 'there is no row of it')
    const wrong = want.findIndex((field, i) => row[i] !== field)
    if (wrong >= 0) throw new Broken('message', `messages.csv, ${position}`, `${MESSAGE_COLUMNS[wrong]} is not what the record says`)
    this.texts++
    this.row(row)
  }
}

/** What a manifest is: names in this order. Of an object with * they are any. */
const MANIFEST = {
  format: 'string', log: 'string', program: 'string', askedBy: 'string', reason: 'string', query: 'object', until: 'string',
  partitions: [
    {
      partition: 'string', first: 'integer', last: 'integer', size: 'integer', root: 'string', foreign: 'integer', selected: 'integer',
      firstSelected: 'integer', lastSelected: 'integer',
    },
  ],
  events: { '*': 'integer' }, void: 'integer', rows: { '*': 'integer' }, key: 'string', files: [{ name: 'string', size: 'integer', sha256: 'string' }],
}

function fits(value, shape) {
  if (shape === 'integer') return Number.isSafeInteger(value)
  if (typeof shape === 'string') return typeof value === shape
  if (Array.isArray(shape)) return Array.isArray(value) && value.every((v) => fits(v, shape[0]))
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  if ('*' in shape) return Object.values(value).every((v) => fits(v, shape['*']))
  const names = Object.keys(shape)
  return Object.keys(value).join() === names.join() && names.every((name) => fits(value[name], shape[name]))
}

/** A manifest as Go writes it, which is its one form. */
const written = (m) =>
  `${JSON.stringify(m, null, 2).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`

/** The files of a .zip, as Blobs. */
async function readZip(blob) {
  const bytes = async (from, to) => new DataView(await blob.slice(from, to).arrayBuffer())
  const tail = await bytes(Math.max(0, blob.size - 65557), blob.size)
  let end = tail.byteLength - 22
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--
  if (end < 0) throw new Error('it is not a .zip')
  let count = tail.getUint16(end + 10, true)
  let at = tail.getUint32(end + 16, true)
  if (at === 0xffffffff || count === 0xffff) {
    const far = await bytes(Number(tail.getBigUint64(end - 20 + 8, true)), blob.size)
    count = Number(far.getBigUint64(32, true))
    at = Number(far.getBigUint64(48, true))
  }
  const files = new Map()
  const list = await bytes(at, blob.size)
  for (let i = 0, o = 0; i < count; i++) {
    if (list.getUint32(o, true) !== 0x02014b50) throw new Error('the list of the .zip is broken')
    const method = list.getUint16(o + 10, true)
    let [packed, size, where] = [list.getUint32(o + 20, true), list.getUint32(o + 24, true), list.getUint32(o + 42, true)]
    const nameLength = list.getUint16(o + 28, true)
    const extra = list.getUint16(o + 30, true)
    const name = plainName(text(new Uint8Array(list.buffer, o + 46, nameLength)))
    for (let e = o + 46 + nameLength, stop = e + extra; e + 4 <= stop; e += 4 + list.getUint16(e + 2, true)) {
      if (list.getUint16(e, true) !== 1) continue
      let f = e + 4
      const long = () => Number(list.getBigUint64((f += 8) - 8, true))
      if (size === 0xffffffff) size = long()
      if (packed === 0xffffffff) packed = long()
      if (where === 0xffffffff) where = long()
    }
    o += 46 + nameLength + extra + list.getUint16(o + 32, true)
    if (name.endsWith('/')) continue
    if (files.has(name)) throw new Broken('extra', name, 'it stands there twice')
    const local = await bytes(where, where + 30)
    const begin = where + 30 + local.getUint16(26, true) + local.getUint16(28, true)
    const content = blob.slice(begin, begin + packed)
    if (method !== 0 && method !== 8) throw new Error(`${name} is packed in a way that is not known here`)
    files.set(name, method === 0 ? content : await inflated(content))
  }
  return files
}

async function inflated(blob) {
  try {
    return await new Response(blob.stream().pipeThrough(new DecompressionStream('deflate-raw'))).blob()
  } catch {
    return new Blob() // whose hash will be wrong
  }
}

/** Archives of "." name their files with "./" before. */
const plainName = (name) => (name.startsWith('./') ? name.slice(2) : name)

/** The files of a .tar, as Blobs: of the formats ustar, GNU and pax. */
async function readTar(blob) {
  const files = new Map()
  let said = {} // of the next file, by what stands before it
  for (let at = 0; at + 512 <= blob.size; ) {
    const h = new Uint8Array(await blob.slice(at, at + 512).arrayBuffer())
    if (h.every((byte) => byte === 0)) break
    const field = (from, to) => text(h.subarray(from, to)).replace(/\0.*$/s, '')
    const kind = field(156, 157)
    const about = 'xgLK'.includes(kind || ' ')
    const counted = h[124] & 0x80 ? Number(number(h.slice(128, 136).reverse())) : parseInt(field(124, 136), 8)
    const size = about ? counted : Number(said.size ?? counted)
    const prefix = field(257, 263) === 'ustar' ? field(345, 500) : ''
    const name = plainName(said.path ?? (prefix ? `${prefix}/` : '') + field(0, 100))
    if (!Number.isSafeInteger(size) || size < 0 || at + 512 + size > blob.size) throw new Error('it is not a .tar')
    const content = blob.slice(at + 512, at + 512 + size)
    at += 512 + Math.ceil(size / 512) * 512
    if (about) {
      const more = new Uint8Array(await content.arrayBuffer())
      if (kind === 'x') Object.assign(said, paxRecords(more))
      if (kind === 'L') said.path = text(more).replace(/\0.*$/s, '')
      continue
    }
    said = {}
    if (kind === '5' || name === '' || name.endsWith('/')) continue
    if (files.has(name)) throw new Broken('extra', name, 'it stands there twice')
    files.set(name, content)
  }
  return files
}

/** The records of a pax header, "LENGTH NAME=VALUE\n" each; binary values are left out. */
function paxRecords(bytes) {
  const records = {}
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at)
    const length = parseInt(maybeText(bytes.subarray(at, space)), 10)
    if (space < 0 || !(length > space - at + 1) || at + length > bytes.length) throw new Error('it is not a .tar')
    const record = maybeText(bytes.subarray(space + 1, at + length - 1))
    const cut = record?.indexOf('=') ?? -1
    if (cut > 0) records[record.slice(0, cut)] = record.slice(cut + 1)
    at += length
  }
  return records
}
