// Builds the page into a temporary folder and compares it, byte for byte, with
// the committed web/dist; then weighs it. Exits 1 and names the files where they
// differ, or says that the page is too heavy.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

// Bytes, gzipped, that a browser gets before the chat stands: the page, and what
// it names. What the page fetches by itself later is told beside it.
const limit = 75_000

const root = fileURLToPath(new URL('..', import.meta.url))
const committed = join(root, 'dist')
const fresh = mkdtempSync(join(tmpdir(), 'lishi-dist-'))

function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

try {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  execFileSync(process.execPath, [vite, 'build', '--outDir', fresh, '--logLevel', 'error'], { cwd: root, stdio: 'inherit' })
  const names = [...new Set([...files(committed), ...files(fresh)])].sort()
  const same = (name) => {
    try {
      return readFileSync(join(committed, name)).equals(readFileSync(join(fresh, name)))
    } catch {
      return false
    }
  }
  const different = names.filter((name) => !same(name))
  for (const name of different) console.error(`differs from its source: web/dist/${name}`)
  const weigh = (list) => list.reduce((sum, name) => sum + gzipSync(readFileSync(join(fresh, name)), { level: 9 }).length, 0)
  const page = readFileSync(join(fresh, 'index.html'), 'utf8')
  const parts = files(fresh).filter((name) => /\.(js|css|html)$/.test(name))
  const first = parts.filter((name) => name === 'index.html' || page.includes(name))
  const heavy = weigh(first) > limit
  console.log(`the page weighs ${(weigh(first) / 1000).toFixed(1)} kB gzipped (${limit / 1000} at most), ${(weigh(parts) / 1000).toFixed(1)} kB with its dialogs`)
  if (heavy) console.error('The page is too heavy.')
  const failed = different.length + (heavy ? 1 : 0)
  console.log(`${names.length + 1 - failed} passed, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
  if (different.length > 0) {
    console.error('Run `npm run build` in web/ and commit web/dist.')
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
