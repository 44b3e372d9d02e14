// The real program: started with the demo's people, killed, started again.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Server } from '../../e2e/server.mjs'

export { WebSocket } from 'ws' // Node 20 has none of its own

const root = fileURLToPath(new URL('../..', import.meta.url))
const binary = resolve(root, process.env.LISHI_BIN || '../bin/lishi')

export class Program {
  folder = mkdtempSync(join(tmpdir(), 'lishi-lib-'))
  #server
  #tokens = new Map()

  static async start() {
    const program = new Program()
    program.#server = await Server.create(binary, join(program.folder, 'server.log'))
    await program.#server.start()
    for (const { userId, token } of await (await fetch(`${program.origin}/demo/people`)).json()) program.#tokens.set(userId, token)
    return program
  }

  get origin() {
    return this.#server.origin
  }

  /** A demo person's token. */
  token(/** @type {string} */ user) {
    return this.#tokens.get(user)
  }

  /** A token that lives for some seconds, made by the program's own command. */
  shortToken(/** @type {string} */ user, /** @type {number} */ seconds) {
    return execFileSync(binary, ['token', '--user', user, '--ttl', `${seconds}s`, '--data', this.#server.data], { encoding: 'utf8' }).trim()
  }

  /** Runs a module in a folder of its own, where the library is installed. */
  example(/** @type {string} */ code, /** @type {string} */ token) {
    const folder = join(this.folder, 'example')
    mkdirSync(join(folder, 'node_modules/@lishi'), { recursive: true })
    symlinkSync(join(root, 'lib'), join(folder, 'node_modules/@lishi/client'))
    writeFileSync(join(folder, 'example.mjs'), code.replace('ws://127.0.0.1:8080', this.origin.replace('http', 'ws')))
    const child = spawn(process.execPath, ['--experimental-websocket', '--no-warnings', 'example.mjs', token], { cwd: folder })
    const example = { output: '', end: () => child.kill() }
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (example.output += data))
    return example
  }

  kill() {
    return this.#server.kill()
  }

  again() {
    return this.#server.start()
  }

  async remove() {
    await this.#server.remove()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
