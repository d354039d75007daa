// A world to test in: the simulator, and the real gateway on a folder of resources, both as processes.

import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = new URL('../../', import.meta.url).pathname
const SECONDS_TO_START = 30

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function until(what, look) {
  const deadline = Date.now() + SECONDS_TO_START * 1000
  for (;;) {
    const found = await look().catch(() => undefined)
    if (found) return found
    if (Date.now() > deadline) throw new Error(`not in ${SECONDS_TO_START} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export class World {
  /** Starts both programs on these resources and the StudioFlow of the samples, and waits until `destinations` serve. */
  static async start(resources, destinations) {
    const world = new World()
    world.folder = mkdtempSync(join(tmpdir(), 'engage-segment-'))
    process.once('exit', () => world.#kill())
    try {
      await world.#start(resources, destinations)
    } catch (error) {
      console.error(world.log())
      await world.stop()
      throw error
    }
    return world
  }

  async #start(resources, destinations) {
    const config = join(this.folder, 'config')
    mkdirSync(config)
    copyFileSync(join(ROOT, 'manifests/samples/studioflow-connect-to-agent.yaml'), join(config, 'flow.yaml'))
    writeFileSync(join(config, 'resources.yaml'), resources.map((resource) => JSON.stringify(resource)).join('\n---\n'))

    const [simulator, listen, admin] = [await freePort(), await freePort(), await freePort()]
    this.control = `http://127.0.0.1:${simulator}/_sim`
    this.gateway = `http://127.0.0.1:${listen}`
    this.simulator = this.#run('ENGAGE_SIMULATOR', ['serve', '--listen', `127.0.0.1:${simulator}`])
    await until('the simulator answers', async () => (await fetch(`${this.control}/state`)).ok)
    this.operator = this.#run('ENGAGE_OPERATOR', [
      'run', '--config-dir', config, '--state-dir', join(this.folder, 'state'),
      '--listen', `127.0.0.1:${listen}`, '--admin-listen', `127.0.0.1:${admin}`, '--public-url', this.gateway,
      '--twilio-base-url', `http://127.0.0.1:${simulator}/twilio/{product}`,
      '--segment-profiles-base-url', `http://127.0.0.1:${simulator}/segment/profiles`,
    ])
    await until('/readyz', async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok)
    for (const name of destinations) {
      // An empty body is refused as malformed, but only by a destination that is served.
      await until(`${name} is served`, async () => (await fetch(this.url(name), { method: 'POST' })).status === 400)
    }
    this.admin = `http://127.0.0.1:${admin}`
  }

  async metrics() {
    return (await fetch(`${this.admin}/metrics`)).text()
  }

  #run(variable, args) {
    const log = openSync(join(this.folder, variable), 'a')
    return spawn(process.env[variable], args, { stdio: ['ignore', log, log] })
  }

  log() {
    const file = join(this.folder, 'ENGAGE_OPERATOR')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  url(destination) {
    return `${this.gateway}/v1/destinations/marketing/${destination}`
  }

  /** What Twilio was asked, oldest first. */
  async requests() {
    const entries = await (await fetch(`${this.control}/requests`)).json()
    return entries.filter((entry) => !['', 'profiles', 'tracking'].includes(entry.product))
  }

  /** The requests that changed something, from here on. */
  async effects() {
    const changing = (await this.requests()).filter((entry) => entry.method !== 'GET')
    const news = changing.filter((entry) => entry.seq > (this.seen ?? 0))
    this.seen = Math.max(this.seen ?? 0, ...changing.map((entry) => entry.seq))
    return news
  }

  #kill() {
    const children = [this.operator, this.simulator].filter((child) => child && child.exitCode === null && !child.killed)
    for (const child of children) child.kill('SIGKILL')
    return children
  }

  async stop() {
    await Promise.all(this.#kill().map((child) => new Promise((resolve) => child.once('exit', resolve))))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
