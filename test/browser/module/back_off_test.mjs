import assert from "node:assert/strict"
import { test } from "node:test"
import { EventStream } from "streamer-rails"
import { record, refused, scene, status } from "./scene.mjs"

test("a lost connection is opened again with the last id in the header", async () => {
  const { clock, server } = scene()
  const stream = new EventStream("/log")
  const events = record(stream)
  stream.open()
  await clock.forward(0)
  await server.body.write("id: 7\ndata: a\n\n")
  await server.body.end()
  await clock.forward(1000)
  await server.body.write("id: 8\ndata: b\n\n")

  assert.deepEqual(server.requests.map(({ headers }) => headers["last-event-id"]), [undefined, "7"])
  assert.deepEqual(events.names(), ["open", "message", "error", "open", "message"])
  assert.deepEqual(events.texts(), ["a", "b"])
})

test("each attempt without progress waits longer, up to a ceiling of 30 s", async () => {
  const { clock, server } = scene()
  server.answer(refused)
  const stream = new EventStream("/log")
  stream.open()
  await clock.forward(200_000)

  assert.deepEqual(server.waits.slice(0, 8), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test("waits are spread over as long again as the wait itself", async () => {
  const firsts = []
  for (let reader = 0; reader < 100; reader++) {
    const { clock, server } = scene({ random: () => reader / 100 })
    new EventStream("/log").open()
    await clock.forward(0)
    await server.body.cut()
    firsts.push(clock.next)
  }

  assert.equal(new Set(firsts).size, 100)
  assert.ok(Math.min(...firsts) >= 1000)
  assert.ok(Math.max(...firsts) > 1900 && Math.max(...firsts) < 2000)
})

// Row 42 of the failure table.
test("a thousand readers of a server that is gone do not come back at once", async () => {
  let seed = 42
  const { clock, server } = scene({ random: () => (seed = (seed * 16807) % 2147483647) / 2147483647 })
  for (let reader = 0; reader < 1000; reader++) new EventStream("/log").open()
  await clock.forward(0)
  const { bodies } = server
  for (const body of bodies) await body.write("id: 1\ndata: a\n\n")
  server.answer(refused)
  const gone = clock.now
  await Promise.all(bodies.map((body) => body.cut()))
  await clock.forward(70_000)
  const moments = server.requests.slice(1000).map(({ at }) => at - gone)
  const within = (from, to) => moments.filter((at) => at >= from && at < to).length
  const windows = Array.from({ length: 700 }, (_, index) => within(index * 100, index * 100 + 100))

  assert.equal(within(0, 1000), 0)
  assert.ok(Math.max(...windows) < 150, `${Math.max(...windows)} in 100 ms`)
  assert.ok(within(60_000, 70_000) < 600, "not fewer as time goes by")
})

test("progress sets the wait back", async () => {
  const { clock, server } = scene()
  let down = true
  server.answer(() => (down ? refused() : server.stream()))
  new EventStream("/log").open()
  await clock.forward(8000)
  down = false
  await clock.forward(8000)
  await server.body.write("id: 1\ndata: a\n\n")
  await server.body.cut()

  assert.equal(clock.next, 1000)
})

test("a connection without progress does not set the wait back", async () => {
  const { clock, server } = scene()
  new EventStream("/log").open()
  await clock.forward(0)
  for (const expected of [1000, 2000, 4000]) {
    await server.body.write(": nothing\n\nevent: heartbeat\ndata: {}\n\n")
    await server.body.end()
    assert.equal(clock.next, expected)
    await clock.forward(expected)
  }
})

test("a quiet connection that lasted sets the wait back", async () => {
  const { clock, server } = scene()
  new EventStream("/log").open()
  await clock.forward(0)
  await server.body.end()
  await clock.forward(1000)
  await server.body.write(": quiet\n\n")
  clock.sleep(60_000)
  await server.body.end()

  assert.equal(clock.next, 1000)
})

test("the time that the server gives is waited for, and doubles where it fails", async () => {
  const { clock, server } = scene()
  new EventStream("/log").open()
  await clock.forward(0)
  await server.body.write("retry: 5000\nid: 1\ndata: a\n\n")
  server.answer(refused)
  await server.body.end()
  await clock.forward(40_000)

  assert.deepEqual(server.waits.slice(0, 3), [5000, 10_000, 20_000])
})

test("closing with a time of its own brings the reader back after that", async () => {
  const { clock, server } = scene()
  const stream = new EventStream("/log")
  const events = record(stream)
  stream.open()
  await clock.forward(0)
  await server.body.write('id: 1\ndata: a\n\nevent: closing\nretry: 2140\ndata: {"reason":"shutdown"}\n\n')
  await server.body.end()

  assert.equal(clock.next, 2140)
  assert.deepEqual(events.texts(), ["a"])
})

test("a time of 0 that brings nothing is not taken at its word for ever", async () => {
  const { clock, server } = scene()
  server.answer(() => new Response("retry: 0\n\n", { headers: { "content-type": "text/event-stream" } }))
  new EventStream("/log").open()
  await clock.forward(6000)

  assert.deepEqual(server.waits, [0, 2000, 4000])
})

test("a time beyond what a timer can wait is not taken for none", async () => {
  const { clock, server } = scene({ random: () => 0.5 })
  new EventStream("/log").open()
  await clock.forward(0)
  await server.body.write("retry: 99999999999999999999\nid: 1\ndata: a\n\n")
  await server.body.end()

  assert.equal(clock.next, 2 ** 31 - 1)
})

for (const code of [503, 429]) {
  test(`${code} is asked again, not before Retry-After`, async () => {
    const { clock, page, server } = scene()
    server.answer(() => status(code, { "retry-after": "20" }))
    new EventStream("/log").open()
    await clock.forward(10_000)
    await page.fire("online")
    await clock.forward(9_999)
    assert.equal(server.requests.length, 1)
    await clock.forward(1)
    assert.equal(server.requests.length, 2)
  })
}

test("Retry-After may be a date", async () => {
  const { clock, server } = scene()
  clock.now = Date.parse("2026-11-28T10:00:00Z")
  server.answer(() => status(503, { "retry-after": "Sat, 28 Nov 2026 10:00:40 GMT" }))
  new EventStream("/log").open()
  await clock.forward(0)

  assert.equal(clock.next, 40_000)
})

for (const code of [204, 401, 403, 404, 500]) {
  test(`${code} ends the stream: nobody asks again`, async () => {
    const { clock, page, server } = scene()
    const stream = new EventStream("/log")
    const events = record(stream)
    stream.open()
    await clock.forward(0)
    server.answer(() => status(code))
    await server.body.write("id: 1\ndata: a\n\n")
    await server.body.end()
    await clock.forward(600_000)
    for (const type of ["online", "visibilitychange", "pageshow"]) await page.fire(type)
    await clock.forward(600_000)

    assert.equal(server.requests.length, 2)
    assert.equal(stream.state, code === 204 ? "done" : "failed")
    if (code === 204) assert.equal(events.at(-1)[0], "done")
    else assert.deepEqual([events.at(-1)[1].fatal, events.at(-1)[1].status], [true, code])
  })
}

test("an answer that is no event stream ends the stream", async () => {
  const { clock, server } = scene()
  server.answer(() => new Response("<h1>Sign in</h1>", { headers: { "content-type": "text/html" } }))
  const stream = new EventStream("/log")
  stream.open()
  await clock.forward(600_000)

  assert.equal(server.requests.length, 1)
  assert.equal(stream.state, "failed")
})

for (const [name, last] of Object.entries({ done: "event: done\ndata: {}\n\n", error: 'event: error\ndata: {"error":"internal","message":"No."}\n\n' })) {
  test(`after the event ${name} nobody asks again`, async () => {
    const { clock, page, server } = scene()
    const stream = new EventStream("/log")
    const events = record(stream)
    stream.open()
    await clock.forward(0)
    await server.body.write(`data: a\n\n${last}data: behind the end\n\n`)
    await clock.forward(600_000)
    await page.fire("online")

    assert.equal(server.requests.length, 1)
    assert.ok(server.body.left)
    assert.deepEqual(events.names(), ["open", "message", name])
    if (name === "error") assert.deepEqual(events.at(-1)[1], { fatal: true, error: "internal", message: "No.", status: undefined })
  })
}

test("after stop nobody asks again, neither from a connection nor from a wait", async () => {
  for (const wait of [false, true]) {
    const { clock, page, server } = scene()
    const stream = new EventStream("/log")
    stream.open()
    await clock.forward(0)
    const { body } = server
    if (wait) await body.cut()
    stream.stop()
    await clock.forward(600_000)
    await page.fire("online")

    assert.equal(server.requests.length, 1)
    assert.ok(body.left)
    assert.equal(stream.state, "stopped")
  }
})

test("a listener that stops the stream gets nothing of what came with the same bytes", async () => {
  const { clock, server } = scene()
  const stream = new EventStream("/log")
  const events = record(stream)
  stream.addEventListener("streamer:message", () => stream.stop())
  stream.open()
  await clock.forward(0)
  await server.body.write("data: a\n\ndata: b\n\n")

  assert.deepEqual(events.texts(), ["a"])
})

test("a POST that was cut is not repeated, unless ids say where it goes on", async () => {
  for (const id of ["", "id: 4\n"]) {
    const { clock, server } = scene()
    const stream = new EventStream("/answers", { method: "post", body: "question=why" })
    stream.open()
    await clock.forward(0)
    await server.body.write(`${id}data: a\n\n`)
    await server.body.cut()
    await clock.forward(1000)

    assert.equal(server.requests.length, id ? 2 : 1)
    assert.equal(stream.state, id ? "open" : "failed")
    assert.deepEqual(server.requests.map(({ method }) => method), id ? ["POST", "POST"] : ["POST"])
    assert.equal(server.requests[0].headers["x-csrf-token"], "the-token")
  }
})

test("a POST that was refused for now is repeated", async () => {
  const { clock, server } = scene()
  server.answer(() => status(503))
  new EventStream("/answers", { method: "POST" }).open()
  await clock.forward(1000)

  assert.equal(server.requests.length, 2)
})

test("the token is not sent with GET, nor to another origin", async () => {
  for (const [url, method] of [["/log", "GET"], ["http://other.test/log", "POST"]]) {
    const { clock, server } = scene()
    new EventStream(url, { method }).open()
    await clock.forward(0)

    assert.equal(server.requests[0].headers["x-csrf-token"], undefined)
  }
})

test("an event without end is given up, and not asked for again", async () => {
  const { clock, server } = scene()
  const stream = new EventStream("/log")
  stream.open()
  await clock.forward(0)
  const mebibyte = "x".repeat(1024 * 1024)
  await server.body.write("data: ")
  for (let count = 0; count < 17; count++) if (!server.body.left) await server.body.write(mebibyte)
  await clock.forward(600_000)

  assert.equal(stream.state, "failed")
  assert.equal(server.requests.length, 1)
})
