// SHA-256 (FIPS 180-4) and the check of Ed25519 signatures (RFC 8032), written
// out, since a page that was opened from a file has no WebCrypto in every browser.
'use strict'

const K256 = new Int32Array(64)
const H256 = new Int32Array(8)
const W = new Int32Array(64) // the block being compressed
const K512 = new BigUint64Array(80)
const H512 = new BigUint64Array(8)
;(() => {
  // The constants are the first bits of the fractional parts of the square and
  // cube roots of the first primes.
  const root = (n, k, bits) => {
    let x = 1n << (BigInt(bits) + 9n)
    const target = BigInt(n) << (BigInt(k) * BigInt(bits))
    for (;;) {
      const y = ((BigInt(k) - 1n) * x + target / x ** (BigInt(k) - 1n)) / BigInt(k)
      if (y >= x) return BigInt.asUintN(bits, x)
      x = y
    }
  }
  const primes = []
  for (let n = 2; primes.length < 80; n++) if (primes.every((p) => n % p)) primes.push(n)
  primes.forEach((p, i) => {
    K512[i] = root(p, 3, 64)
    if (i < 64) K256[i] = Number(K512[i] >> 32n)
    if (i < 8) H512[i] = root(p, 2, 64)
    if (i < 8) H256[i] = Number(H512[i] >> 32n)
  })
})()

/** SHA-256 of what is given to update, piece by piece. */
class Sha256 {
  constructor() {
    this.h = H256.slice()
    this.block = new Uint8Array(64)
    this.filled = 0
    this.length = 0
  }

  update(bytes) {
    this.length += bytes.length
    let at = 0
    if (this.filled > 0) {
      const take = Math.min(64 - this.filled, bytes.length)
      this.block.set(bytes.subarray(0, take), this.filled)
      this.filled += take
      at = take
      if (this.filled < 64) return this
      this.compress(this.block, 0)
      this.filled = 0
    }
    for (; at + 64 <= bytes.length; at += 64) this.compress(bytes, at)
    this.block.set(bytes.subarray(at), 0)
    this.filled = bytes.length - at
    return this
  }

  digest() {
    const bits = this.length * 8
    const end = new Uint8Array(this.filled < 56 ? 64 - this.filled : 128 - this.filled)
    end[0] = 0x80
    const view = new DataView(end.buffer)
    view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(end.length - 4, bits >>> 0)
    this.update(end)
    const out = new Uint8Array(32)
    const words = new DataView(out.buffer)
    this.h.forEach((word, i) => words.setInt32(4 * i, word))
    return out
  }

  compress(b, at) {
    const w = W
    const k = K256
    for (let i = 0; i < 16; i++, at += 4) w[i] = (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]
      const y = w[i - 2]
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0
    }
    const h = this.h
    let a = h[0], bb = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], hh = h[7]
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const t1 = (hh + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const t2 = (s0 + ((a & bb) ^ (a & c) ^ (bb & c))) | 0
      hh = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = bb
      bb = a
      a = (t1 + t2) | 0
    }
    h[0] += a
    h[1] += bb
    h[2] += c
    h[3] += d
    h[4] += e
    h[5] += f
    h[6] += g
    h[7] += hh
  }
}

const sha256 = (...parts) => parts.reduce((h, part) => h.update(part), new Sha256()).digest()

/** SHA-512 of a whole message: signatures are of short ones. */
function sha512(message) {
  const padded = new Uint8Array(Math.ceil((message.length + 17) / 128) * 128)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n)
  const u64 = (n) => BigInt.asUintN(64, n)
  const turn = (x, n) => u64((x >> BigInt(n)) | (x << BigInt(64 - n)))
  const h = [...H512]
  for (let at = 0; at < padded.length; at += 128) {
    const w = []
    for (let i = 0; i < 16; i++) w.push(view.getBigUint64(at + 8 * i))
    for (let i = 16; i < 80; i++) {
      const s0 = turn(w[i - 15], 1) ^ turn(w[i - 15], 8) ^ (w[i - 15] >> 7n)
      const s1 = turn(w[i - 2], 19) ^ turn(w[i - 2], 61) ^ (w[i - 2] >> 6n)
      w.push(u64(w[i - 16] + s0 + w[i - 7] + s1))
    }
    let [a, b, c, d, e, f, g, hh] = h
    for (let i = 0; i < 80; i++) {
      const t1 = u64(hh + (turn(e, 14) ^ turn(e, 18) ^ turn(e, 41)) + ((e & f) ^ (~e & g)) + K512[i] + w[i])
      const t2 = u64((turn(a, 28) ^ turn(a, 34) ^ turn(a, 39)) + ((a & b) ^ (a & c) ^ (b & c)))
      ;[hh, g, f, e, d, c, b, a] = [g, f, e, u64(d + t1), c, b, a, u64(t1 + t2)]
    }
    ;[a, b, c, d, e, f, g, hh].forEach((word, i) => (h[i] = u64(h[i] + word)))
  }
  const out = new Uint8Array(64)
  const words = new DataView(out.buffer)
  h.forEach((word, i) => words.setBigUint64(8 * i, word))
  return out
}

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const mod = (n, m = P) => ((n % m) + m) % m
function power(base, exponent) {
  let out = 1n
  for (base = mod(base); exponent > 0n; exponent >>= 1n, base = mod(base * base)) if (exponent & 1n) out = mod(out * base)
  return out
}
const D = mod(-121665n * power(121666n, P - 2n))
const number = (bytes) => bytes.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n)

/** The point of 32 bytes, in extended coordinates; undefined if it is none. */
function point(bytes) {
  const encoded = number(bytes)
  const y = encoded & (2n ** 255n - 1n)
  const u = mod(y * y - 1n)
  const v = mod(D * y * y + 1n)
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n))
  if (mod(v * x * x) === mod(-u)) x = mod(x * power(2n, (P - 1n) / 4n))
  if (mod(v * x * x) !== u) return undefined
  if ((x & 1n) !== encoded >> 255n) x = mod(-x)
  return [x, mod(y), 1n, mod(x * y)]
}

function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2))
  const b = mod((y1 + x1) * (y2 + x2))
  const c = mod(2n * D * t1 * t2)
  const d = mod(2n * z1 * z2)
  return [mod((b - a) * (d - c)), mod((d + c) * (b + a)), mod((d - c) * (d + c)), mod((b - a) * (b + a))]
}

function times(n, p) {
  let out = [0n, 1n, 1n, 0n]
  for (; n > 0n; n >>= 1n, p = add(p, p)) if (n & 1n) out = add(out, p)
  return out
}

function encode([x, y, z]) {
  const inverse = power(z, P - 2n)
  let n = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n)
  return Uint8Array.from({ length: 32 }, () => {
    const byte = Number(n & 255n)
    n >>= 8n
    return byte
  })
}

const B = point(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0x58 : 0x66)))

/** Whether a key has signed a message: the signature is 64 bytes, the key 32. */
function ed25519Verify(key, message, signature) {
  const a = key.length === 32 && signature.length === 64 && point(key)
  const s = number(signature.subarray(32))
  if (!a || s >= L) return false
  const hashed = new Uint8Array(64 + message.length)
  hashed.set(signature.subarray(0, 32))
  hashed.set(key, 32)
  hashed.set(message, 64)
  const k = mod(number(sha512(hashed)), L)
  const minusA = [mod(-a[0]), a[1], a[2], mod(-a[3])]
  const r = encode(add(times(s, B), times(k, minusA)))
  return r.every((byte, i) => byte === signature[i])
}
