// Segment's destinations as Segment runs them: a definition, its settings, and one mapping. The queue before them, which
// repeats and batches, is not published; a batch is made here by hand.

import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.env.SEGMENT_PACKAGES, 'package.json'))
const { Destination } = require('@segment/actions-core')
const definition = (folder) => require(`@segment/action-destinations/dist/destinations/${folder}`).default

/** Webhooks (Actions). */
export const WEBHOOK = definition('webhook')
/** Extensible Webhook. */
export const EXTENSIBLE = definition('webhook-extensible')

/** Settings of Extensible Webhook. */
export const WITHOUT_AUTH = { dynamicAuthSettings: { oauth: { type: 'noAuth' } } }
export const withBearer = (bearerToken) => ({ dynamicAuthSettings: { bearer: { bearerToken } } })

/** A destination that is connected, with one mapping. */
export class Connected {
  constructor(made, url, settings, mapping = {}) {
    this.destination = new Destination(made)
    const whole = { url, method: 'POST', data: { '@path': '$.' }, enable_batching: true, ...mapping }
    const subscribe = 'type = "track" or type = "identify"'
    this.settings = { ...settings, subscription: { partnerAction: 'send', subscribe, mapping: whole } }
  }

  /** Sends one event, and gives status and body of the answer. */
  async single(event) {
    return this.#answer(async () => {
      const steps = await this.destination.onEvent(event, this.settings)
      return { status: 200, body: steps.at(-1).data }
    })
  }

  /** Sends events as one batch, and gives status and body of the answer, which are the same for each of them. */
  async batch(events) {
    return this.#answer(async () => {
      const [{ multistatus }] = await this.destination.onBatch(events, this.settings)
      const [{ status, body }] = multistatus
      return { status, body }
    })
  }

  async #answer(send) {
    try {
      return await send()
    } catch (error) {
      if (!error.response) throw error
      return { status: error.response.status, body: error.response.data }
    }
  }
}
