// The simulator's parameter tables, read by their own: whether a request is what the reference of its API allows.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('../simulator/tables/', import.meta.url)
const PAGING = ['PageSize', 'Page', 'PageToken']

const operations = new Map(
  readdirSync(FOLDER)
    .map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')))
    .filter((table) => table.operations)
    .flatMap((table) => table.operations.map((operation) => [`${table.product} ${operation.name}`, operation]))
)

/** Fails unless every field of a logged request is in its row, and every field that the row asks for is in the request. */
export function assertAllowed(entry) {
  const said = `${entry.method} ${entry.product}${entry.path}`
  const row = operations.get(`${entry.product} ${entry.operation}`)
  assert.ok(row, `${said}: in no table`)
  assert.equal(entry.code, null, `${said}: refused`)
  assert.ok(entry.status < 400 || (entry.method === 'GET' && entry.status === 404), `${said}: ${entry.status}`)
  assertFields(said, 'form', entry.form, row.parameters ?? {}, [])
  assertFields(said, 'query', entry.query, row.query ?? {}, row.page ? PAGING : [])
  if (entry.json) {
    assert.equal(row.body, 'json', `${said}: a JSON body`)
    for (const name of Object.keys(entry.json)) assert.ok(name in row.parameters, `${said}: ${name} is not a parameter`)
  }
  for (const { names } of row.one_of ?? []) {
    assert.ok(entry.form.some(([name]) => names.includes(name)), `${said}: none of ${names}`)
  }
}

function assertFields(said, place, pairs, rules, beside) {
  const given = pairs.map(([name]) => name)
  for (const name of given) {
    assert.ok(name in rules || beside.includes(name), `${said}: ${name} is no parameter of the ${place}`)
    const times = given.filter((other) => other === name).length
    assert.ok(times <= (rules[name]?.repeat ?? 1), `${said}: ${name} is given ${times} times`)
  }
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.required && place === 'form') assert.ok(given.includes(name), `${said}: ${name} is missing`)
  }
  for (const [name, value] of pairs) {
    const rule = rules[name] ?? {}
    if (rule.values?.length) assert.ok(rule.values.includes(value), `${said}: ${name} is ${value}`)
    if (rule.max_length !== undefined) assert.ok([...value].length <= rule.max_length, `${said}: ${name} is too long`)
    if (rule.format?.startsWith('sid:')) assert.match(value, /^[A-Z]{2}[0-9a-f]{32}$/, `${said}: ${name}`)
    if (rule.format === 'json-object') assert.equal(typeof JSON.parse(value), 'object', `${said}: ${name}`)
  }
}
