// Builds the page into a temporary folder and compares it, byte for byte, with
// the committed web/dist. Exits 1 and names the files where they differ.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

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
  console.log(`${names.length - different.length} passed, ${different.length} failed`)
  if (different.length > 0) {
    console.error('Run `npm run build` in web/ and commit web/dist.')
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
