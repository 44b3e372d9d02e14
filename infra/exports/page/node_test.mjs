// Verifies the packages named (directories, .zip, .tar) with the scripts of the
// page, and prints a line of JSON for each: {"code": ""} if it holds.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const source = ['crypto.js', 'verify.js'].map((name) => readFileSync(new URL(name, import.meta.url), 'utf8')).join('\n')
const page = new Function(`${source}; return { verifyPackage, readZip, readTar, fromBase64Url, Broken, sha256, sha512, ed25519Verify }`)()

function directory(dir, into = new Map(), prefix = '') {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) directory(path, into, `${prefix}${name}/`)
    else into.set(prefix + name, new Blob([readFileSync(path)]))
  }
  return into
}

if (process.argv[2] === '--vectors') {
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16))
  const hex = (b) => Buffer.from(b).toString('hex')
  for (const v of JSON.parse(readFileSync(0, 'utf8'))) {
    const [message, key, signature] = [v.Message, v.Key, v.Signature].map(bytes)
    console.log(JSON.stringify([hex(page.sha256(message)), hex(page.sha512(message)), page.ed25519Verify(key, message, signature)]))
  }
} else {
  const key = process.argv[2] ? page.fromBase64Url(process.argv[2]) : undefined
  for (const path of process.argv.slice(3)) {
    try {
      const blob = statSync(path).isDirectory() ? undefined : new Blob([readFileSync(path)])
      const files = !blob ? directory(path) : path.endsWith('.tar') ? await page.readTar(blob) : await page.readZip(blob)
      const m = await page.verifyPackage(files, { key })
      console.log(JSON.stringify({ code: '', events: m.events }))
    } catch (error) {
      console.log(JSON.stringify({ code: error.code ?? 'failed', message: error.stack }))
    }
  }
}
