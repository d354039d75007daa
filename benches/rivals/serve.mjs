// What both Node.js rivals are behind: a server that checks the signature and hands the event on.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const SECRET = 'demo-webhook-secret'

function isSigned(body, given = '') {
  const wanted = createHmac('sha1', SECRET).update(body).digest()
  const received = Buffer.from(given, 'hex')
  return received.length === wanted.length && timingSafeEqual(received, wanted)
}

/** Answers each event with the status that `send` gives, or 503 when it fails. */
export function serve(port, send) {
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const signed = isSigned(body, request.headers['x-signature'])
    const status = signed ? await send(JSON.parse(body)).catch((error) => console.error(error) ?? 503) : 401
    response.writeHead(status).end()
  })
  server.listen(Number(port), '127.0.0.1')
}
