import assert from "node:assert/strict"
import { test } from "node:test"
import { EventStream } from "streamer-rails"
import { record, refused, scene } from "./scene.mjs"

const STALE = 37_501 // two and a half heartbeats of 15 s

async function opened(options) {
  const all = scene()
  const stream = new EventStream("/log", options)
  stream.open()
  await all.clock.forward(0)
  await all.server.body.write("id: 1\ndata: a\n\n")
  return { ...all, stream, events: record(stream) }
}

for (const type of ["online", "visibilitychange", "pageshow"]) {
  test(`${type} opens a new connection where the last sign of life is too old`, async () => {
    const { clock, page, server } = await opened()
    const { body } = server
    clock.sleep(STALE)
    await page.fire(type)

    assert.ok(body.left)
    assert.equal(server.requests.length, 2)
    assert.equal(server.requests[1].headers["last-event-id"], "1")
  })

  test(`${type} leaves a connection alone that has just had bytes`, async () => {
    const { clock, page, server } = await opened()
    clock.sleep(STALE - 1000)
    await server.body.write(": comments are signs of life, too\n\n")
    clock.sleep(STALE - 1000)
    await page.fire(type)

    assert.equal(server.requests.length, 1)
  })

  test(`${type} ends a wait`, async () => {
    const { clock, page, server } = await opened()
    server.answer(refused)
    await server.body.cut()
    await clock.forward(20_000)
    const before = server.requests.length
    await page.fire(type)

    assert.equal(server.requests.length, before + 1)
  })
}

test("a hidden tab is left asleep", async () => {
  const { clock, page, server } = await opened()
  page.document.visibilityState = "hidden"
  clock.sleep(STALE)
  await page.fire("visibilitychange")
  assert.equal(server.requests.length, 1)
  page.document.visibilityState = "visible"
  await page.fire("visibilitychange")
  assert.equal(server.requests.length, 2)
})

test("the time between heartbeats can be told", async () => {
  const { clock, page, server } = await opened({ heartbeat: 2 })
  clock.sleep(5001)
  await page.fire("online")

  assert.equal(server.requests.length, 2)
})

test("a POST without ids is not sent again by waking", async () => {
  const { clock, page, server } = scene()
  new EventStream("/answers", { method: "POST" }).open()
  await clock.forward(0)
  await server.body.write("data: a\n\n")
  clock.sleep(STALE)
  await page.fire("online")

  assert.equal(server.requests.length, 1)
})

test("what is cached holds no connection, and what comes back goes on", async () => {
  const { clock, page, server, stream, events } = await opened()
  const { body } = server
  await page.fire("pagehide", { persisted: true })
  await clock.forward(600_000)
  await page.fire("online")
  assert.ok(body.left)
  assert.equal(server.requests.length, 1)

  await page.fire("pageshow", { persisted: true })
  await server.body.write("id: 2\ndata: b\n\n")
  assert.equal(server.requests[1].headers["last-event-id"], "1")
  assert.deepEqual(events.texts(), ["b"])
  assert.equal(stream.state, "open")
})

test("a stream that was stopped before the cache stays so after it", async () => {
  const { clock, page, server, stream } = await opened()
  stream.stop()
  await page.fire("pagehide")
  await page.fire("pageshow")
  await clock.forward(600_000)

  assert.equal(server.requests.length, 1)
  assert.equal(stream.state, "stopped")
})

test("an element in Turbo's cache holds no connection; one that the visit kept goes on", async () => {
  for (const isConnected of [true, false]) {
    const { clock, page, server } = scene()
    const target = Object.assign(new EventTarget(), { closest: () => null, isConnected })
    const stream = new EventStream("/log", { target })
    stream.open()
    await clock.forward(0)
    const { body } = server
    await page.fire("turbo:before-cache")
    assert.ok(body.left)
    await page.fire("turbo:render")
    await clock.forward(0)

    assert.equal(server.requests.length, isConnected ? 2 : 1)
    assert.equal(stream.state, isConnected ? "open" : "closed")
  }
})

test("a permanent element keeps its connection through a visit", async () => {
  const { clock, page, server } = scene()
  const target = Object.assign(new EventTarget(), { closest: () => target, isConnected: true })
  new EventStream("/log", { target }).open()
  await clock.forward(0)
  await page.fire("turbo:before-cache")
  await page.fire("turbo:render")

  assert.equal(server.body.left, false)
  assert.equal(server.requests.length, 1)
})
