// A world to test in: the simulator, and the real gateway on a folder of resources, both as processes.

import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, mkdirSync, copyFileSync } from 'node:fs'
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
    const config = join(world.folder, 'config')
    mkdirSync(config)
    copyFileSync(join(ROOT, 'manifests/samples/studioflow-connect-to-agent.yaml'), join(config, 'flow.yaml'))
    writeFileSync(join(config, 'resources.yaml'), resources.map((resource) => JSON.stringify(resource)).join('\n---\n'))

    const [simulator, listen, admin] = [await freePort(), await freePort(), await freePort()]
    world.control = `http://127.0.0.1:${simulator}/_sim`
    world.gateway = `http://127.0.0.1:${listen}`
    world.simulator = world.#run('ENGAGE_SIMULATOR', ['serve', '--listen', `127.0.0.1:${simulator}`])
    await until('the simulator answers', async () => (await fetch(`${world.control}/state`)).ok)
    world.operator = world.#run('ENGAGE_OPERATOR', [
      'run', '--config-dir', config, '--state-dir', join(world.folder, 'state'),
      '--listen', `127.0.0.1:${listen}`, '--admin-listen', `127.0.0.1:${admin}`, '--public-url', world.gateway,
      '--twilio-base-url', `http://127.0.0.1:${simulator}/twilio/{product}`,
      '--segment-profiles-base-url', `http://127.0.0.1:${simulator}/segment/profiles`,
    ])
    await until('/readyz', async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok)
    for (const name of destinations) {
      // An empty body is refused as malformed, but only by a destination that is served.
      await until(`${name} is served`, async () => (await fetch(world.url(name), { method: 'POST' })).status === 400)
    }
    world.metrics = async () => (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()
    return world
  }

  #run(variable, args) {
    const log = openSync(join(this.folder, variable), 'a')
    return spawn(process.env[variable], args, { stdio: ['ignore', log, log] })
  }

  log() {
    return readFileSync(join(this.folder, 'ENGAGE_OPERATOR'), 'utf8')
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

  async stop() {
    for (const child of [this.operator, this.simulator]) {
      if (!child || child.exitCode !== null) continue
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
