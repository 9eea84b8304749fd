import assert from "node:assert/strict"
import { test } from "node:test"
import { EventStream } from "streamer-rails"
import { play, record, scene } from "./scene.mjs"

// What a stream dispatches of these events; "|" is a lost connection.
async function dispatched(frames, options) {
  const { stream, server, events } = await play(frames, { events: ["token", "usage"], ...options })
  return { stream, server, events: events.map(([name, { data, ...detail }]) =>
    name === "message" ? data : name === "gap" ? `gap ${detail.after}..${detail.before}` : name) }
}

const event = (id, data = id, type) => `${type ? `event: ${type}\n` : ""}id: ${id}\ndata: ${data}\n\n`

test("what comes again is dropped", async () => {
  const { events } = await dispatched([event(1), event(2), event(2), "|", event(1), event(2), event(3)])
  assert.deepEqual(events, ["1", "2", "3"])
})

test("numbers are compared as numbers, however long", async () => {
  const { events } = await dispatched([event(9), event(10), event("9007199254740993"), event("9007199254740992"), event("9007199254740994")])
  assert.deepEqual(events, ["9", "10", "gap 10..9007199254740993", "9007199254740993", "9007199254740994"])
})

test("a gap within an epoch is noticed, and what follows it is kept", async () => {
  const { events } = await dispatched([event("1-1"), event("1-3"), event("1-4")])
  assert.deepEqual(events, ["1-1", "gap 1-1..1-3", "1-3", "1-4"])
})

test("a new epoch is a reset, and what is late of the old one is dropped", async () => {
  const { events } = await dispatched([event("1-1"), event("1-2"), event("2-0"), event("1-3"), event("2-1")])
  assert.deepEqual(events, ["1-1", "1-2", "reset", "2-0", "2-1"])
})

test("an id that is no number is dropped only where it is the last one", async () => {
  const { events } = await dispatched([event("b"), event("a"), event("a"), event("b")])
  assert.deepEqual(events, ["b", "a", "b"])
})

test("events without an id are kept, however alike", async () => {
  const { events } = await dispatched(["data: ha\n\n", "data: ha\n\n", event(1, "ha"), "data: ha\n\n", "data: ha\n\n"])
  assert.deepEqual(events, ["ha", "ha", "ha", "ha", "ha"])
})

test("events without an id among those that come again are dropped with them", async () => {
  const { events } = await dispatched([event(1), "data: x\n\n", event(2), "|", event(1), "data: x\n\n", event(2), event(3)])
  assert.deepEqual(events, ["1", "x", "2", "3"])
})

test("the page can bring the cursor", async () => {
  const { events, server, stream } = await dispatched([event("3-7"), event("3-8")], { cursor: "3-7" })
  assert.equal(server.requests[0].headers["last-event-id"], "3-7")
  assert.deepEqual(events, ["3-8"])
  assert.equal(stream.cursor, "3-8")
})

test("an empty id of the server takes the cursor back", async () => {
  const { stream } = await dispatched([event(5), "id:\ndata: x\n\n"])
  assert.equal(stream.cursor, "")
})

test("a stream without ids begins again after a lost connection, and says so", async () => {
  const { events } = await dispatched(["data: a\n\n", "|", "data: a\n\n", "data: b\n\n"])
  assert.deepEqual(events, ["a", "reset", "a", "b"])
})

test("an event that nobody asked for moves the cursor and is no gap", async () => {
  const { events } = await dispatched([event(1), event(2, "x", "unknown"), event(3)])
  assert.deepEqual(events, ["1", "3"])
})

test("the end of an old epoch is not the end", async () => {
  const { events, stream } = await dispatched([event("2-1"), event("1-9", "{}", "done"), event("2-2"), event("2-3", "{}", "done")])
  assert.deepEqual(events, ["2-1", "2-2", "done"])
  assert.equal(stream.state, "done")
})

test("the end may be named otherwise", async () => {
  const { events } = await dispatched([event(1), event(2, "x", "finished")], { done: "finished" })
  assert.deepEqual(events, ["1", "done"])
})

test("an id that is no ASCII goes into the header as UTF-8", async () => {
  const { server } = await dispatched([event("é"), "|"])
  assert.equal(Buffer.from(server.requests[1].headers["last-event-id"], "latin1").toString(), "é")
})

test("a connection that is cut at any byte costs no text and doubles none", async () => {
  const tokens = ["Hello", ", ", "wörld", "…", "\u{1F600}", "two\nlines", "end"]
  const frames = (from) => tokens.slice(from).map((text, index) => `id: 1-${from + index + 1}\ndata: ${text.replace("\n", "\ndata: ")}\n\n`).join("")
  const bytes = Buffer.from(frames(0))
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { clock, server } = scene()
    const stream = new EventStream("/log")
    const events = record(stream)
    stream.open()
    await clock.forward(0)
    await server.body.write(bytes.subarray(0, cut))
    await server.body.cut()
    await clock.forward(1000)
    await server.body.write(frames(Number(server.requests[1].headers["last-event-id"]?.slice(2) ?? 0)))

    assert.deepEqual(events.texts(), tokens, `cut at ${cut}`)
    assert.ok(!events.names().includes("gap") && !events.names().includes("reset"))
  }
})
