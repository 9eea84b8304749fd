import assert from "node:assert/strict"
import { test } from "node:test"
import { EventStream } from "streamer-rails"
import { play, scene } from "./scene.mjs"

// What a stream of a log's dispatches; "|" is a lost connection.
async function followed(frames, options) {
  const { stream, server, events } = await play(frames, { events: ["token", "source"], ...options })
  const told = events.map(([name, detail]) => {
    if (name === "message") return `${detail.type} ${detail.id} ${detail.data}`
    if (name === "gap") return `gap ${detail.content === undefined ? `${detail.after}..${detail.before}` : `${detail.mode} ${detail.content}`}`
    if (name === "state") return `state ${detail.phase}`
    if (name === "reset") return detail.log === undefined ? "reset" : `reset ${detail.log}`
    return `${name} ${detail.type}`
  })
  return { stream, server, told }
}

const entry = (id, data, type = "token") => `event: ${type}\nid: ${id}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`
const attempt = (n, mode, from = null, id = `${n}-0`) => entry(id, { n, mode, from }, "attempt")

test("the first attempt is no reset, and no event of the page's", async () => {
  const { told } = await followed(["retry: 1000\nid: 0-0\n\n", attempt(1, "reset"), entry("1-1", "a")])
  assert.deepEqual(told, ["token 1-1 a"])
})

test("an attempt that begins anew is a reset", async () => {
  const { told } = await followed([attempt(1, "reset"), entry("1-1", "a"), attempt(2, "reset", "1-1"), entry("2-1", "b")])
  assert.deepEqual(told, ["token 1-1 a", "reset", "token 2-1 b"])
})

test("an attempt that continues is none", async () => {
  const { told } = await followed([attempt(1, "reset"), entry("1-1", "a"), attempt(2, "continue", "1-1"), entry("2-1", "b")])
  assert.deepEqual(told, ["token 1-1 a", "token 2-1 b"])
})

test("the text in a gap takes the place of what has come", async () => {
  const { told, stream } = await followed([entry("1-1", "a"), entry("1-9", { after: "1-1", through: "1-9", content: "abc" }, "gap"), entry("1-10", "d")])
  assert.deepEqual(told, ["token 1-1 a", "gap reset abc", "token 1-10 d"])
  assert.equal(stream.cursor, "1-10")
})

test("entries in a gap that are no text are messages like any", async () => {
  const events = [{ id: "1-3", event: "source", data: "{}" }, { id: "1-4", event: "other", data: "{}" }]
  const { told } = await followed([entry("1-9", { after: "1-1", through: "1-9", content: "abc", events }, "gap")])
  assert.deepEqual(told, ["gap reset abc", "source 1-3 {}"])
})

test("a long text comes in several gaps", async () => {
  const { told } = await followed([
    entry("1-9", { after: "0-0", through: "1-9", content: "abc" }, "gap"),
    entry("1-19", { after: "0-0", through: "1-19", mode: "continue", content: "def" }, "gap"),
  ])
  assert.deepEqual(told, ["gap reset abc", "gap continue def"])
})

test("a gap after 0-0 makes all void that had come, and may go back", async () => {
  const { told, stream } = await followed([
    entry("1-5", "lost"), entry("1-2", { after: "0-0", through: "1-2", content: "ab" }, "gap"), entry("1-3", "c"),
  ])
  assert.deepEqual(told, ["token 1-5 lost", "reset", "gap reset ab", "token 1-3 c"])
  assert.equal(stream.cursor, "1-3")
})

test("a state is told, with or without an id", async () => {
  const { told, stream } = await followed([
    entry("1-1", "a"), 'event: state\ndata: {"phase":"recovering"}\n\n', entry("1-2", { phase: "tool" }, "state"), entry("1-3", "b"),
  ])
  assert.deepEqual(told, ["token 1-1 a", "state recovering", "state tool", "token 1-3 b"])
  assert.equal(stream.cursor, "1-3")
})

for (const [type, state] of Object.entries({ done: "completed", failed: "failed", cancelled: "cancelled", timed_out: "timed_out" })) {
  test(`${type} is a log's end`, async () => {
    const { told, stream } = await followed([entry("1-1", "a"), entry("1-2", { state, length: 1 }, type)])
    assert.deepEqual(told, ["token 1-1 a", `done ${type}`])
    assert.equal(stream.state, "done")
  })
}

test("an event of another stream that has the name of an end is a message", async () => {
  const { told, stream } = await followed([entry("7", { job: 1 }, "failed"), entry("8", "on")], { events: ["token", "failed"] })
  assert.deepEqual(told, ['failed 7 {"job":1}', "token 8 on"])
  assert.equal(stream.state, "open")
})

test("a log that is closed at the position is the end", async () => {
  const { clock, server } = scene()
  const stream = new EventStream("/log", { cursor: "1-2" })
  server.answer(() => new Response(null, { status: 204 }))
  stream.open()
  await clock.forward(0)
  assert.equal(stream.state, "done")
})

test("of several logs one may begin anew", async () => {
  const { told, stream } = await followed([
    entry("0:1-1,0-0", "a"), attempt(1, "reset", null, "1:1-1,1-0"), entry("1:1-1,1-1", "x"), attempt(2, "reset", "1-1", "1:1-1,2-0"), entry("1:1-1,2-1", "y"),
  ])
  assert.deepEqual(told, ["token 0:1-1,0-0 a", "token 1:1-1,1-1 x", "reset 1", "token 1:1-1,2-1 y"])
  assert.equal(stream.cursor, "1:1-1,2-1")
})
