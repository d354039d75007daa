// A hand-written function: Node.js without a framework, which sends the template by the built-in `fetch`. No journal, no
// repetition that is recognised, no pace, no outcome; `make bench` puts the gateway beside it.
//
//   node bare.mjs 8080 http://127.0.0.1:9000/twilio/api

import { serve } from './serve.mjs'

const [port, twilio] = process.argv.slice(2)
const ACCOUNT = 'AC00000000000000000000000000000001'
const MESSAGES = `${twilio}/2010-04-01/Accounts/${ACCOUNT}/Messages.json`
const AUTHORIZATION = `Basic ${Buffer.from(`${ACCOUNT}:demo-auth-token`).toString('base64')}`

serve(port, async ({ properties }) => {
  const body = new URLSearchParams({
    MessagingServiceSid: 'MG00000000000000000000000000000001',
    ContentSid: 'HX00000000000000000000000000000001',
    ContentVariables: JSON.stringify({ 1: properties.first_name, 2: properties.plan }),
    To: `whatsapp:${properties.phone}`,
  })
  const answer = await fetch(MESSAGES, { method: 'POST', headers: { Authorization: AUTHORIZATION }, body })
  await answer.text()
  return answer.ok ? 200 : 503
})
