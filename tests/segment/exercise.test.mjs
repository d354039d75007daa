// Segment's own webhook destinations against the gateway: what they write is believed where it is proven, each event has its
// outcome in the answer that Segment's client reads, and Twilio is asked for exactly that, field by field.

import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'

import { Connected, EXTENSIBLE, WEBHOOK, WITHOUT_AUTH, withBearer } from './segment.mjs'
import { assertAllowed } from './tables.mjs'
import { World } from './world.mjs'

const sid = (prefix, number) => prefix + String(number).padStart(32, '0')
const [OLD, NEW, TOKEN] = ['old-secret', 'new-secret', 'demo-webhook-token']
const SENDER = '+5511900000001'
const VARIABLES = {
  1: "{{ profile.traits.first_name | default: 'there' }}",
  2: "{{ profile.traits.plan | default: 'starter' }}"
}
const PATIENCE = { timeout: 30_000 }

const secret = (name, stringData) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'marketing' }, stringData })
const segment = (name, proofs) => secret(name, { SEGMENT_PROFILES_API_TOKEN: 'demo-profiles-token', ...proofs })
const destination = (name, segmentSecret, action) => ({
  apiVersion: 'engage-operator.dev/v1alpha1',
  kind: 'EngageDestination',
  metadata: { name, namespace: 'marketing' },
  spec: {
    twilio: { credentialsRef: { name: 'twilio' } },
    segment: { credentialsRef: { name: segmentSecret }, spaceId: 'spa_demo' },
    phone: { defaultRegion: 'BR' },
    delivery: { rate: 1000 },
    ...action
  }
})
const whatsapp = { whatsapp: { messagingServiceSid: sid('MG', 1), contentSid: sid('HX', 1), contentVariables: VARIABLES } }
const conversation = {
  conversation: {
    flowRef: { name: 'connect-to-agent' },
    twilioNumber: [SENDER],
    timeout: 3600,
    openingMessage: { contentSid: sid('HX', 1), contentVariables: VARIABLES }
  }
}

/** @type {World} */
let world
before(async () => {
  const resources = [
    secret('twilio', { TWILIO_ACCOUNT_SID: sid('AC', 1), TWILIO_AUTH_TOKEN: 'demo-auth-token' }),
    segment('signed', { SEGMENT_WEBHOOK_SECRET: OLD }),
    segment('rotated', { SEGMENT_WEBHOOK_SECRET: `${NEW},${OLD}`, SEGMENT_WEBHOOK_TOKEN: `next-token,${TOKEN}` }),
    segment('token', { SEGMENT_WEBHOOK_TOKEN: TOKEN }),
    destination('signed', 'signed', whatsapp),
    destination('rotated', 'rotated', whatsapp),
    destination('token', 'token', whatsapp),
    destination('agent', 'rotated', conversation)
  ]
  world = await World.start(resources, ['signed', 'rotated', 'token', 'agent'])
  await world.effects()
})
after(async () => {
  try {
    for (const entry of await world.requests()) assertAllowed(entry)
  } finally {
    await world.stop()
  }
})
afterEach(async (context) => {
  const left = await world.effects()
  if (context.passed !== false) assert.deepEqual(left.map((entry) => entry.operation), [], 'Twilio was asked for more than expected')
})

let made = 0
const phone = (number) => `+55119${String(81_000_000 + number)}`
/** An event of Engage that brings its own phone and traits, as Trait Enrichment makes it. */
function event(number, change = {}) {
  made += 1
  return {
    type: 'track', event: 'Lead Qualified', messageId: `personas_npm_${made}`, userId: 'lead-1', timestamp: new Date().toISOString(),
    context: { personas: { computation_class: 'journey_step', space_id: 'spa_demo' } },
    properties: { phone: phone(number), first_name: 'Bia', plan: 'pro' },
    ...change
  }
}

const outcomes = (answer) => answer.body.results.map((result) => [result.outcome, result.reason].filter(Boolean).join(' '))

/** The one thing that a whatsapp destination asks of Twilio for a customer. */
const message = (to, variables) => ({
  operation: 'messages.create',
  path: `/2010-04-01/Accounts/${sid('AC', 1)}/Messages.json`,
  form: [
    ['To', `whatsapp:${to}`],
    ['MessagingServiceSid', sid('MG', 1)],
    ['ContentSid', sid('HX', 1)],
    ['ContentVariables', JSON.stringify(variables)]
  ]
})
const BIA = { 1: 'Bia', 2: 'pro' }
const ANA = { 1: 'Ana', 2: 'pro' }

/** Twilio was asked for exactly this since the last look, in any order, with exactly these fields, and took it. */
async function assertEffects(expected) {
  const asked = await world.effects()
  for (const entry of asked) {
    assertAllowed(entry)
    assert.equal(entry.credential, sid('AC', 1))
    assert.equal(entry.status, 201)
  }
  // What becomes of each is told the gateway, by the event that it was sent for.
  const callbacks = asked.map(({ form }) => form.find(([name]) => name === 'StatusCallback')?.[1])
  const callback = new RegExp(`^${world.gateway}/v1/callbacks/marketing/[a-z-]+\\?event=personas_npm_[0-9]+#rc=5&rp=all$`)
  for (const url of callbacks) assert.match(url, callback)
  assert.equal(new Set(callbacks).size, callbacks.length)
  const seen = asked.map(({ operation, path, form }) => ({
    operation, path, form: form.filter(([name]) => name !== 'StatusCallback')
  }))
  const inOrder = (list) => list.map((entry) => JSON.stringify(entry)).sort()
  assert.deepEqual(inOrder(seen), inOrder(expected))
}

async function metric(name, label) {
  const line = (await world.metrics()).split('\n').find((it) => it.startsWith(`${name}{`) && it.includes(label))
  return Number(line?.split(' ')[1] ?? 0)
}
const proofs = (kind) => metric('engage_gateway_signatures_total', `proof="${kind}"`)
const refused = () => metric('engage_gateway_requests_total', 'reason="BadSignature"')

test('a single event is signed whole, and its repetition does nothing', PATIENCE, async () => {
  const webhook = new Connected(WEBHOOK, world.url('signed'), { sharedSecret: OLD })
  const [one, before] = [event(1), await proofs('whole_body')]
  assert.deepEqual(outcomes(await webhook.single(one)), ['sent'])
  assert.equal((await proofs('whole_body')) - before, 1)
  assert.deepEqual(outcomes(await webhook.single(one)), ['duplicate'])
  await assertEffects([message(phone(1), BIA)])
})

test('what JavaScript made of text and numbers arrives as it was signed', PATIENCE, async () => {
  const webhook = new Connected(WEBHOOK, world.url('signed'), { sharedSecret: OLD })
  const properties = { phone: phone(2), first_name: 'Zoë 😀 "\u2028" \\ </a>', plan: 12345678901234567890, huge: 1e21, one: 1.0, empty: '', none: null }
  assert.deepEqual(outcomes(await webhook.single(event(2, { properties }))), ['sent'])
  await assertEffects([message(phone(2), { 1: 'Zoë 😀 " " \\ </a>', 2: '12345678901234567000' })])
})

test('of a batch the first event is believed, and of the others only whom they are about', PATIENCE, async () => {
  const webhook = new Connected(WEBHOOK, world.url('signed'), { sharedSecret: OLD })
  const [before, batch] = [await proofs('first_event'), [event(3), event(4), event(5, { userId: 'lead-2' })]]
  const answer = await webhook.batch(batch)
  assert.deepEqual([answer.status, outcomes(answer)], [200, ['sent', 'sent', 'rejected NoPhone']])
  assert.equal((await proofs('first_event')) - before, 1)
  await assertEffects([message(phone(3), BIA), message('+5511987654321', ANA)])
})

test('the token in the headers of the mapping proves a whole batch', PATIENCE, async () => {
  for (const [index, authorization] of [`Bearer ${TOKEN}`, TOKEN, 'Bearer next-token'].entries()) {
    const mapping = { headers: { Authorization: authorization, 'X-Team': 'growth' } }
    const webhook = new Connected(WEBHOOK, world.url('rotated'), { sharedSecret: NEW }, mapping)
    const [before, number] = [await proofs('bearer'), 10 + 2 * index]
    assert.deepEqual(outcomes(await webhook.batch([event(number), event(number + 1)])), ['sent', 'sent'])
    assert.equal((await proofs('bearer')) - before, 1)
    await assertEffects([message(phone(number), BIA), message(phone(number + 1), BIA)])
  }
})

test('while the shared secret is changed both are taken, and afterwards only the one that is left', PATIENCE, async () => {
  for (const [index, sharedSecret] of [OLD, NEW].entries()) {
    const webhook = new Connected(WEBHOOK, world.url('rotated'), { sharedSecret })
    assert.deepEqual(outcomes(await webhook.single(event(20 + index))), ['sent'])
    await assertEffects([message(phone(20 + index), BIA)])
  }
  const stale = await new Connected(WEBHOOK, world.url('signed'), { sharedSecret: NEW }).single(event(22))
  assert.deepEqual([stale.status, stale.body.reason], [401, 'BadSignature'])
})

test('the wrapped batch of an Extensible Webhook, signed', PATIENCE, async () => {
  const webhook = new Connected(EXTENSIBLE, world.url('signed'), { sharedSecret: OLD, ...WITHOUT_AUTH })
  assert.deepEqual(outcomes(await webhook.single(event(30, { event: 'Mañana 😀' }))), ['sent'])
  const before = await proofs('first_event')
  assert.deepEqual(outcomes(await webhook.batch([event(31, { event: 'Mañana 😀' }), event(32)])), ['sent', 'sent'])
  assert.equal((await proofs('first_event')) - before, 1)
  await assertEffects([message(phone(30), BIA), message(phone(31), BIA), message('+5511987654321', ANA)])
})

test('an Extensible Webhook with its bearer token and no signature', PATIENCE, async () => {
  const webhook = new Connected(EXTENSIBLE, world.url('token'), withBearer(TOKEN))
  assert.deepEqual(outcomes(await webhook.single(event(40))), ['sent'])
  assert.deepEqual(outcomes(await webhook.batch([event(41), event(42)])), ['sent', 'sent'])
  await assertEffects([40, 41, 42].map((number) => message(phone(number), BIA)))
})

test('who proves nothing is turned away', PATIENCE, async () => {
  // Without its settings Extensible Webhook sends the literal `Bearer undefined`.
  for (const [made, name, settings] of [
    [WEBHOOK, 'signed', {}], [WEBHOOK, 'signed', { sharedSecret: 'other' }], [WEBHOOK, 'token', { sharedSecret: OLD }],
    [EXTENSIBLE, 'token', {}], [EXTENSIBLE, 'token', withBearer('other')], [EXTENSIBLE, 'signed', withBearer(OLD)]
  ]) {
    const webhook = new Connected(made, world.url(name), settings)
    for (const send of [() => webhook.single(event(50)), () => webhook.batch([event(51), event(52)])]) {
      const before = await refused()
      // Told 401, Extensible Webhook tries to have its token renewed, and stumbles over what it lacks for that.
      await send().then(
        (answer) => assert.deepEqual([answer.status, answer.body.reason], [401, 'BadSignature'], `${made.name} ${name}`),
        (error) => assert.equal(made, EXTENSIBLE, error)
      )
      assert.ok((await refused()) > before, `${made.name} ${name}`)
    }
  }
})

test('a mapping without data says so', PATIENCE, async () => {
  const mapping = { data: { '@path': '$.nothing' } }
  for (const made of [WEBHOOK, EXTENSIBLE]) {
    const webhook = new Connected(made, world.url('signed'), { sharedSecret: OLD, ...WITHOUT_AUTH }, mapping)
    for (const answer of [await webhook.single(event(60)), await webhook.batch([event(61), event(62)])]) {
      assert.deepEqual([answer.status, answer.body.reason], [400, 'Malformed'])
      assert.match(answer.body.detail, /map the whole event/)
    }
  }
  const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  const answer = await new Connected(EXTENSIBLE, world.url('token'), withBearer(TOKEN), form).batch([event(63), event(64)])
  assert.deepEqual([answer.status, answer.body.reason], [400, 'Malformed'])
  assert.match(answer.body.detail, /form-encoded/)
})

test('a large batch is answered in so few bytes that the client of Segment can read them', PATIENCE, async () => {
  const webhook = new Connected(WEBHOOK, world.url('rotated'), { sharedSecret: NEW }, { headers: { Authorization: TOKEN } })
  const properties = { phone: 'not a number', note: 'é'.repeat(500) }
  const answer = await webhook.batch(Array.from({ length: 1000 }, () => event(70, { properties })))
  assert.deepEqual([answer.status, answer.body.counts.rejected], [422, 1000])
  assert.equal(answer.body.results.length + answer.body.more, 1000)
})

test('what is not meant for anybody is a success without an effect', PATIENCE, async () => {
  const webhook = new Connected(WEBHOOK, world.url('signed'), { sharedSecret: OLD })
  const personas = { computation_class: 'audience', computation_key: 'vip', space_id: 'spa_demo' }
  const left = event(80, { event: 'VIP', context: { personas }, properties: { phone: phone(80), vip: 'false' } })
  assert.deepEqual(outcomes(await webhook.single(left)), ['suppressed AudienceExited'])
  assert.deepEqual(outcomes(await webhook.single(event(81, { type: 'identify' }))), ['suppressed NotTrack'])
})

test('an event becomes a conversation, each step with exactly its fields', PATIENCE, async () => {
  const webhook = new Connected(EXTENSIBLE, world.url('agent'), { sharedSecret: NEW, ...withBearer(TOKEN) })
  const lead = event(90, { userId: 'lead-é/1', external_ids: [{ id: '(11) 98100-0090', type: 'phone', channelType: 'whatsapp', isSubscribed: 'true' }] })
  lead.properties = { first_name: 'Bia', plan: 'pro', name: 'Bia Lima', phone: '' }
  lead.userId = null
  lead.anonymousId = undefined
  const answer = await webhook.batch([lead])
  assert.deepEqual(outcomes(answer), ['sent'])
  const asked = await world.effects()
  for (const entry of asked) assertAllowed(entry)
  assert.deepEqual(asked.map((entry) => [entry.operation, entry.status]), [
    ['conversations.create', 201], ['webhooks.create', 201], ['participants.create', 201], ['conversation_messages.create', 201]
  ])
  const [created, flow, participant, opening] = asked.map((entry) => Object.fromEntries(entry.form))
  const { UniqueName, Attributes, ...rest } = created
  assert.match(UniqueName, /^engage-[0-9a-f]{40}$/)
  assert.deepEqual(JSON.parse(Attributes), {
    name: 'Bia Lima', customerAddress: `whatsapp:${phone(90)}`, customers: { name: 'Bia Lima', phone: phone(90) }
  })
  assert.deepEqual(rest, { FriendlyName: 'Conversation with a customer', State: 'active', 'Timers.Closed': 'PT3600S' })
  const { 'Configuration.FlowSid': FlowSid, ...target } = flow
  assert.match(FlowSid, /^FW[0-9a-f]{32}$/)
  assert.deepEqual(target, { Target: 'studio' })
  assert.deepEqual(participant, {
    'MessagingBinding.Address': `whatsapp:${phone(90)}`, 'MessagingBinding.ProxyAddress': `whatsapp:${SENDER}`
  })
  const { Attributes: marks, ...content } = opening
  assert.deepEqual(Object.values(JSON.parse(marks)), [lead.messageId])
  assert.deepEqual(content, { ContentSid: sid('HX', 1), ContentVariables: JSON.stringify(BIA) })
})
