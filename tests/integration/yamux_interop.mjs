// yamux_interop.mjs - the other end of yamux_peer.c, on @chainsafe/libp2p-yamux. See yamux_peer.c
// for what the first byte of a stream asks for. Run by yamux_interop.sh.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { yamux } from '@chainsafe/libp2p-yamux'

const MIB = 1024 * 1024
const WINDOW = 256 * 1024
const peerProgram = process.argv[2]
let failures = 0

const quiet = Object.assign(() => {}, { error () {}, trace () {}, enabled: false })
const components = { logger: { forComponent: () => quiet } }

function result (ok, what) {
  console.log(`${ok ? 'ok' : 'not ok'}: ${what}`)
  if (!ok) failures++
}

function muxerOver (child, direction, onIncomingStream) {
  const muxer = yamux()(components).createStreamMuxer({ direction, onIncomingStream, enableKeepAlive: false })
  const down = (async () => {
    for await (const chunk of muxer.source) {
      if (!child.stdin.write(chunk.subarray())) await once(child.stdin, 'drain')
    }
    child.stdin.end()
  })().catch(() => {})
  child.stdin.on('error', () => {})
  const up = muxer.sink(child.stdout).catch(() => {})
  return { muxer, ended: Promise.all([down, up]) }
}

function payload (length, seed) {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 37 + (i >>> 9) * 11 + seed) & 0xff
  return bytes
}

async function * parts (kind, ...chunks) {
  yield Uint8Array.of(kind.charCodeAt(0))
  yield * chunks
}

async function collect (stream) {
  const chunks = []
  for await (const chunk of stream.source) chunks.push(chunk.subarray())
  return Buffer.concat(chunks)
}

async function echoed (muxer, bytes) {
  const stream = await muxer.newStream()
  const [back] = await Promise.all([collect(stream), stream.sink(parts('e', bytes))])
  return Buffer.compare(back, bytes) === 0
}

// ---- our peer serves, npm is the client ----

async function reset (muxer) {
  const stream = await muxer.newStream()
  try {
    await Promise.all([collect(stream), stream.sink(parts('r', payload(10, 1)))])
  } catch (err) {
    return /reset/i.test(`${err.code} ${err.message}`)
  }
  return stream.status === 'reset'
}

// A stream our peer does not read takes its window and not a byte more; others go on meanwhile.
async function exhausted (muxer) {
  const bytes = payload(2 * MIB, 9)
  const held = await muxer.newStream()
  const back = collect(held)
  const sent = held.sink(parts('h', bytes))
  const others = await echoed(muxer, payload(MIB, 4))
  const go = await muxer.newStream()
  const [count] = await Promise.all([collect(go), go.sink(parts('g'))])
  await sent
  return {
    stopped: Number(count.toString()) === WINDOW - 1, // the first byte was read
    others,
    complete: Buffer.compare(await back, bytes) === 0
  }
}

async function abandoned (muxer) {
  const stream = await muxer.newStream()
  const sending = stream.sink(parts('e', payload(2 * MIB, 6))).catch(() => {})
  for await (const chunk of stream.source) {
    if (chunk.byteLength > 0) break
  }
  stream.abort(new Error('enough'))
  await sending
  return echoed(muxer, payload(MIB, 7))
}

async function asClient () {
  const child = spawn(peerProgram, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  const { muxer, ended } = muxerOver(child, 'outbound')

  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => echoed(muxer, payload(MIB, i))))
  result(all.every(Boolean), 'npm opens: 20 streams echo 1 MiB each')
  result(await echoed(muxer, payload(5, 1)), 'npm opens: half close')
  result(await echoed(muxer, payload(0, 1)), 'npm opens: nothing but a close')
  result(await reset(muxer), 'npm opens: we reset')
  result(await abandoned(muxer), 'npm opens: it resets, and the session goes on')
  const window = await exhausted(muxer)
  result(window.stopped, 'npm opens: a stream never read stops at its window')
  result(window.others, 'npm opens: other streams go on meanwhile')
  result(window.complete, 'npm opens: and it goes on when it is read')
  result(await muxer.ping() >= 0, 'npm pings')
  await muxer.close()
  await ended
  const [code] = await exit
  result(code === 0, 'npm goes away; our peer ends in good order')
}

// ---- npm serves, our peer is the client ----

async function serveStream (stream) {
  const input = stream.source[Symbol.asyncIterator]()
  const first = await input.next()
  if (first.done) return
  const bytes = first.value.subarray()
  if (bytes[0] === 'r'.charCodeAt(0)) {
    stream.abort(new Error('asked for'))
    return
  }
  await stream.sink((async function * () {
    if (bytes.length > 1) yield bytes.subarray(1)
    for (let next = await input.next(); !next.done; next = await input.next()) yield next.value.subarray()
  })())
}

async function asServer () {
  const child = spawn(peerProgram, ['drive'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  muxerOver(child, 'inbound', (stream) => { serveStream(stream).catch(() => {}) })
  const [code] = await exit
  result(code === 0, 'our peer opens: all of the above')
}

await asClient()
await asServer()
process.exit(failures === 0 ? 0 : 1)
