// Segment's own sender: its published engine with its Twilio Messaging destination and one mapping, behind the same server.
// Unchanged but for Twilio's address and for the Content-Type, which it puts where no header is made of it. What Segment's cloud
// has around it, such as the queue that repeats, is not published.
//
//   SEGMENT_PACKAGES=folder node segment.mjs 8080 http://127.0.0.1:9000/twilio/api

import { createRequire } from 'node:module'
import { join } from 'node:path'

import { serve } from './serve.mjs'

const [port, twilio] = process.argv.slice(2)
const require = createRequire(join(process.env.SEGMENT_PACKAGES, 'package.json'))
const { Destination } = require('@segment/actions-core')
const folder = '@segment/action-destinations/dist/destinations/twilio-messaging'
const constants = require(`${folder}/sendMessage/constants`)
constants.SEND_SMS_URL = constants.SEND_SMS_URL.replace('https://api.twilio.com', twilio)

const definition = require(folder).default
const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
const { extendRequest } = definition
const destination = new Destination({ ...definition, extendRequest: (data) => ({ ...extendRequest(data), headers }) })
const settings = {
  accountSID: 'AC00000000000000000000000000000001',
  apiKeySID: 'SK00000000000000000000000000000002',
  apiKeySecret: 'demo-main-secret',
  subscription: {
    partnerAction: 'sendMessage',
    subscribe: 'type = "track"',
    mapping: {
      channel: 'Whatsapp',
      senderType: 'Messaging Service',
      messagingServiceSid: 'MG00000000000000000000000000000001',
      contentTemplateType: 'Text',
      contentSid: 'HX00000000000000000000000000000001',
      contentVariables: { 1: { '@path': '$.properties.first_name' }, 2: { '@path': '$.properties.plan' } },
      toPhoneNumber: { '@path': '$.properties.phone' },
    },
  },
}

serve(port, async (event) => {
  await destination.onEvent(event, settings)
  return 200
})
