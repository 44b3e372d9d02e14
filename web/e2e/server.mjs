// The real program under test: started, killed without mercy, started again on
// the same data and port.
import { execFile, spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const readyWithin = 90_000

async function freePort() {
  const server = createServer()
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

export class Server {
  static async create(binary, logFile, flags = []) {
    if (!existsSync(binary)) throw new Error(`there is no program at ${binary}: run \`make build\` first, or set LISHI_BIN`)
    const server = new Server()
    server.binary = binary
    server.flags = flags
    server.port = await freePort()
    server.consolePort = await freePort()
    server.data = mkdtempSync(join(tmpdir(), 'lishi-e2e-'))
    server.log = createWriteStream(logFile)
    return server
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`
  }

  /** Where the console is. */
  get console() {
    return `http://127.0.0.1:${this.consolePort}`
  }

  /** A token for a role in the console; made while the server serves, too. */
  token(role, ...args) {
    return this.run('token', '--user', `e2e-${role}`, '--name', 'Ada', '--role', role, ...args)
  }

  /** Runs another command of the program on the same data, while it does not serve; gives what it says. */
  async run(...args) {
    const { stdout } = await promisify(execFile)(this.binary, [...args, '--data', this.data])
    return stdout.trim()
  }

  async start() {
    const child = spawn(this.binary, ['serve', '--demo', '--listen', `127.0.0.1:${this.port}`, '--console', `127.0.0.1:${this.consolePort}`, '--data', this.data, ...this.flags], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.pipe(this.log, { end: false })
    child.stderr.pipe(this.log, { end: false })
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
    this.child = child
    const deadline = Date.now() + readyWithin
    let gone
    void this.exited.then((how) => (gone = how))
    for (;;) {
      if (gone !== undefined) throw new Error(`the server ended (${gone}) before it was ready; its output is in ${this.log.path}`)
      const answer = await fetch(`${this.origin}/readyz`).catch(() => undefined)
      if (answer?.status === 200) return
      if (Date.now() > deadline) throw new Error(`the server was not ready within ${readyWithin / 1000} s: ${answer ? await answer.text() : 'no answer'}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** kill -9: nothing is flushed, nothing is said goodbye to. */
  async kill() {
    this.child.kill('SIGKILL')
    await this.exited
  }

  async remove() {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) await this.kill()
    this.log.end()
    rmSync(this.data, { recursive: true, force: true })
  }
}
