// @clickhouse/client against the SQL endpoint, as its users write it.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

const [dir, url, token] = process.argv.slice(2)
const { createClient, isProgressRow, isRow } = createRequire(dir + '/package.json')('@clickhouse/client')

for (const compression of [{ response: false }, { response: true }, { response: true, request: true }]) {
  const client = createClient({ url, username: 'any', password: token, compression })
  assert.equal((await client.ping()).success, true)
  const rows = await client.query({ query: 'SELECT sender, count() AS n FROM messages GROUP BY sender ORDER BY sender', format: 'JSONEachRow' })
  assert.deepEqual((await rows.json()).map((r) => [r.sender, Number(r.n)]), [['alice', 2], ['bob', 1]])
  const one = await client.query({ query: 'SELECT content FROM messages WHERE sender = {who:String} ORDER BY said LIMIT 1', query_params: { who: 'alice' }, format: 'JSON' })
  assert.deepEqual((await one.json()).data, [{ content: '你好' }])
  let n = 0
  const many = await client.query({ query: 'SELECT number FROM numbers(300000)', format: 'JSONCompactEachRow' })
  for await (const part of many.stream()) n += part.length
  assert.equal(n, 300000)
  const whole = await client.query({ query: 'SELECT number FROM numbers(200000)', format: 'JSON' })
  assert.equal((await whole.json()).rows, 200000)
  await assert.rejects(client.command({ query: 'DROP VIEW messages' }), /ACCESS_DENIED|READONLY|only/)
  await assert.rejects(client.insert({ table: 'users', values: [{ user: 'x' }], format: 'JSONEachRow' }))
  await assert.rejects(client.query({ query: 'SELECT * FROM nowhere' }), /UNKNOWN_TABLE|Unknown table/)
  // Progress between the rows, as its users follow a long statement, and in the header.
  let told = 0, came = 0
  const slow = 'FROM numbers(6000000) WHERE NOT ignore(sipHash128(number, toString(number))) AND number % 4000 = 0'
  const followed = await client.query({ query: `SELECT number ${slow}`, format: 'JSONEachRowWithProgress', clickhouse_settings: { max_threads: 1 } })
  for await (const part of followed.stream()) {
    for (const line of part.map((l) => l.json())) {
      if (isProgressRow(line)) told += Number(line.progress.read_rows) > 0 ? 1 : 0
      if (isRow(line)) came++
    }
  }
  assert.equal(came, 1500)
  assert.ok(told > 0, 'no progress came')
  const headed = await client.query({ query: `SELECT count() AS n ${slow}`, format: 'JSONEachRow', clickhouse_settings: { max_threads: 1, send_progress_in_http_headers: 1, http_headers_progress_interval_ms: '50', wait_end_of_query: 1 } })
  assert.equal(Number((await headed.json())[0].n), 1500)
  assert.match(String(headed.response_headers['x-clickhouse-progress']), /"read_rows":"[1-9]/)
  assert.ok(Number(JSON.parse(headed.response_headers['x-clickhouse-summary']).read_rows) > 0)
  const control = new AbortController()
  const endless = client.query({ query: 'SELECT count() FROM numbers(100000000000000)', query_id: 'endless', abort_signal: control.signal })
  setTimeout(() => control.abort(), 200)
  await assert.rejects(endless)
  await client.close()
}
await assert.rejects(async () => {
  const client = createClient({ url, username: 'any', password: 'wrong' })
  await (await client.query({ query: 'SELECT 1' })).json()
})
console.log('whole')
