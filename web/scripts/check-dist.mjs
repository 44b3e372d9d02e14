// Builds the page, the console and the client library into temporary folders and
// compares them, byte for byte, with the committed web/dist, web/console/dist and
// web/lib/dist; then weighs the pages. Exits 1 and names the files where they
// differ, or says that a page is too heavy.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

// Bytes, gzipped, that a browser gets before a page stands: the page, and what
// it names. What it fetches by itself later is told beside it.
const limits = { dist: 75_000, 'console/dist': 60_000 }

const root = fileURLToPath(new URL('..', import.meta.url))
const run = (script, ...given) => execFileSync(process.execPath, [join(root, script), ...given], { cwd: root, stdio: 'inherit' })
const builds = {
  dist: (folder) => run('node_modules/vite/bin/vite.js', 'build', '--outDir', folder, '--logLevel', 'error'),
  'console/dist': (folder) => run('node_modules/vite/bin/vite.js', 'build', '--config', 'console/vite.config.ts', '--outDir', folder, '--emptyOutDir', '--logLevel', 'error'),
  'lib/dist': (folder) => run('scripts/build-lib.mjs', folder),
}

let passed = 0
let failed = 0
const check = (holds, otherwise) => {
  if (holds) passed++
  else failed++
  if (!holds) console.error(otherwise)
}

for (const [name, build] of Object.entries(builds)) {
  const committed = join(root, name)
  const fresh = mkdtempSync(join(tmpdir(), 'lishi-dist-'))
  try {
    build(fresh)
    const all = [...new Set([...files(committed), ...files(fresh)])].sort()
    for (const file of all) check(same(join(committed, file), join(fresh, file)), `differs from its source: web/${name}/${file}`)
    if (failed > 0) console.error(`Run \`npm run build\` in web/ and commit web/${name}.`)
    if (limits[name]) weigh(name, fresh)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}
console.log(`${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1

function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}

function same(one, other) {
  try {
    return readFileSync(one).equals(readFileSync(other))
  } catch {
    return false
  }
}

function weigh(name, folder) {
  const limit = limits[name]
  const bytes = (list) => list.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name)), { level: 9 }).length, 0)
  const page = readFileSync(join(folder, 'index.html'), 'utf8')
  const parts = files(folder).filter((name) => /\.(js|css|html)$/.test(name))
  const first = bytes(parts.filter((name) => name === 'index.html' || page.includes(name)))
  console.log(`web/${name} weighs ${(first / 1000).toFixed(1)} kB gzipped (${limit / 1000} at most), ${(bytes(parts) / 1000).toFixed(1)} kB with what is fetched later`)
  check(first <= limit, `web/${name} is too heavy.`)
}
