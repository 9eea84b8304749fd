import assert from "node:assert/strict"
import { test } from "node:test"
import { Passages } from "streamer-rails/passages"
import { scene } from "./scene.mjs"

// A log of words, a page that follows it, and how often the page has asked.
function reading({ words = [], position = "0-0", text = "", log = numbered(words) } = {}) {
  const { clock } = scene()
  const page = {
    position, text, told: [], closed: null, failed: null, asked: [], positions: [],
    add(content) { this.text += content; this.positions.push(this.position) },
    replace(content) { this.text = content; this.positions.push(this.position) },
    tell(entry) { this.told.push(`${entry.event} ${entry.id}`) },
    close(entry) { this.closed = entry.event },
    fail(status) { this.failed = status },
    async load(after) {
      this.asked.push(after)
      return answer(log, after)
    },
  }
  return { clock, page, log, passages: new Passages(page) }
}

const entry = (id, data, event = "token") => ({ id, event, data: JSON.stringify(data) })
const numbered = (words, epoch = 1) => [
  entry(`${epoch}-0`, { n: epoch, mode: "reset" }, "attempt"), ...words.map((content, index) => entry(`${epoch}-${index + 1}`, { content })),
]
const key = (id) => id.split("-").reduce((epoch, sequence) => epoch * 1e6 + Number(sequence), 0)

function answer(log, after, limit = 500) {
  const entries = log.filter(({ id }) => key(id) > key(after)).slice(0, limit)
  const { event, data } = log.at(-1)
  const state = ["done", "failed"].includes(event) ? JSON.parse(data).state : null
  return { entries, head: { position: log.at(-1).id, state }, next: entries.at(-1)?.id ?? after }
}

const passage = (after, through, content, mode = "continue") => ({ after, through, mode, content, events: [] })

test("what follows is shown at once, and what was there already is not", async () => {
  const { page, passages } = reading()
  passages.take(passage("0-0", "1-1", "a", "reset"))
  passages.take(passage("1-1", "1-3", "bc"))
  passages.take(passage("1-1", "1-3", "bc"))
  passages.take(passage("0-0", "1-1", "a", "reset"))
  assert.deepEqual([page.text, page.position], ["abc", "1-3"])
})

test("what comes too early waits for what is before it, and the log is not asked", async () => {
  const { clock, page, passages } = reading({ position: "1-1", text: "a" })
  passages.take(passage("1-2", "1-3", "c"))
  passages.take(passage("1-3", "1-4", "d"))
  assert.equal(page.text, "a")
  await clock.forward(150)
  passages.take(passage("1-1", "1-2", "b"))
  assert.equal(page.text, "abcd")
  await clock.forward(1000)
  assert.deepEqual(page.asked, [])
})

test("what is missing is loaded from the log when it does not come", async () => {
  const { clock, page, passages } = reading({ words: ["a", "b", "c", "d"], position: "1-1", text: "a" })
  passages.take(passage("1-2", "1-4", "cd"))
  await clock.forward(300)
  assert.deepEqual([page.text, page.position, page.asked], ["abcd", "1-4", ["1-1"]])
})

test("a passage that begins before the page's position and ends behind it is not shown in part", async () => {
  const { clock, page, passages } = reading({ words: ["a", "b", "c"], position: "1-2", text: "ab" })
  passages.take(passage("1-1", "1-3", "bc"))
  assert.equal(page.text, "ab")
  await clock.forward(300)
  assert.equal(page.text, "abc")
})

test("row 78: what is loaded and comes, too, is there once", async () => {
  const { clock, page, passages } = reading({ words: ["a", "b", "c"], position: "1-1", text: "a" })
  let release
  const { load } = page
  page.load = async (after) => {
    const found = await load.call(page, after)
    await new Promise((resolve) => (release = resolve))
    return found
  }
  passages.load()
  await clock.forward(0)
  passages.take(passage("1-1", "1-2", "b"))
  release()
  await clock.forward(0)
  passages.take(passage("1-2", "1-3", "c"))
  assert.equal(page.text, "abc")
})

test("an attempt that begins anew takes the place of all there was, also of what the page lacks", async () => {
  const { page, passages } = reading({ position: "1-3", text: "old" })
  passages.take(passage("1-9", "2-1", "new", "reset"))
  passages.take(passage("1-3", "1-5", "er"))
  passages.take(passage("2-1", "2-2", "er"))
  assert.deepEqual([page.text, page.position], ["newer", "2-2"])
})

test("one that the page has not heard of is in the log", async () => {
  const log = [...numbered(["a", "b"]), ...numbered(["x", "y"], 2)]
  const { clock, page, passages } = reading({ log, position: "1-1", text: "a" })
  passages.take(passage("2-1", "2-2", "y"))
  await clock.forward(300)
  assert.deepEqual([page.text, page.position], ["xy", "2-2"])
})

test("a gap in the log has the text in its place, in several parts where it is long", async () => {
  const log = [
    entry("1-5", { after: "0-0", through: "1-5", content: "Hel" }, "gap"),
    entry("1-9", { after: "0-0", through: "1-9", mode: "continue", content: "lo", events: [entry("1-7", {}, "source")] }, "gap"),
  ]
  const { clock, page, passages } = reading({ log })
  passages.load()
  await clock.forward(0)
  assert.deepEqual([page.text, page.position, page.told], ["Hello", "1-9", ["source 1-7"]])
})

test("a long log is loaded in pages", async () => {
  const words = Array.from({ length: 1200 }, (_, index) => `${index} `)
  const { clock, page, passages } = reading({ words })
  passages.load()
  await clock.forward(0)
  assert.equal(page.text, words.join(""))
  assert.equal(page.asked.length, 3)
})

test("what is no text is told, and the end is an end", async () => {
  const { page, passages } = reading({ position: "1-1" })
  passages.take({ ...passage("1-1", "1-2", ""), events: [entry("1-2", { phase: "thinking" }, "state")] })
  passages.take({ ...passage("1-2", "1-3", "x"), events: [entry("1-3", { state: "completed" }, "done")] })
  passages.take(passage("1-3", "1-4", "never"))
  assert.deepEqual([page.told, page.closed, page.text], [["state 1-2"], "done", "x"])
})

test("an end that was lost is found in the log, and then nobody asks any more", async () => {
  const log = [...numbered(["a"]), entry("1-2", { state: "failed" }, "failed")]
  const { clock, page } = reading({ log, position: "1-1", text: "a" })
  await clock.forward(7000)
  assert.equal(page.closed, "failed")
  const { length } = page.asked
  await clock.forward(200_000)
  assert.equal(page.asked.length, length)
})

test("a page that was rendered with the end learns that it is one", async () => {
  const log = [...numbered(["a"]), entry("1-2", { state: "completed" }, "done")]
  const { clock, page, passages } = reading({ log, position: "1-2", text: "a" })
  passages.load()
  await clock.forward(0)
  assert.deepEqual([page.closed, page.text], ["done", "a"])
})

test("who asks while the log is answering is answered anew", async () => {
  const { clock, page, passages, log } = reading({ words: ["a"], position: "1-1", text: "a" })
  let release
  const { load } = page
  page.load = async (after) => {
    const found = await load.call(page, after)
    if (page.asked.length === 1) await new Promise((resolve) => (release = resolve))
    return found
  }
  passages.load()
  await clock.forward(0)
  log.push(entry("1-2", { content: "b" }))
  passages.load()
  release()
  await clock.forward(0)
  assert.equal(page.text, "ab")
})

test("while nothing comes the log is asked less and less often, up to twice a minute", async () => {
  const { clock, page } = reading({ words: ["a"], position: "1-1" })
  await clock.forward(600_000)
  assert.ok(page.asked.length > 10 && page.asked.length < 25, `${page.asked.length} times`)
})

test("a log that does not answer is asked again, less and less often, and what came waits", async () => {
  const { clock, page, passages } = reading({ words: ["a", "b", "c"], position: "1-1", text: "a" })
  const { load } = page
  let times = 0
  page.load = async () => { times += 1; throw new Error("503") }
  passages.take(passage("1-2", "1-3", "c"))
  await clock.forward(60_000)
  assert.ok(times > 5 && times < 12, `${times} times`)
  page.load = load
  await clock.forward(40_000)
  assert.equal(page.text, "abc")
})

test("a log that is refused ends it", async () => {
  const { clock, page, passages } = reading({ position: "1-1" })
  page.load = async () => ({ refused: 404 })
  passages.load()
  await clock.forward(0)
  assert.equal(page.failed, 404)
})

test("what waits is bounded, and what is beyond is loaded", async () => {
  const words = Array.from({ length: 5000 }, (_, index) => `${index} `)
  const { clock, page, passages } = reading({ words, position: "1-0" })
  for (let index = 2; index <= 5000; index++) passages.take(passage(`1-${index - 1}`, `1-${index}`, words[index - 1]))
  assert.equal(page.text, "")
  await clock.forward(1000)
  assert.equal(page.text, words.join(""))
})

test("a page whose content is rendered is replaced and never added to", async () => {
  const end = entry("1-4", { state: "completed" }, "done")
  const log = [...numbered(["a", "b", "c"]), end]
  const { clock, page, passages } = reading({ log, position: "1-1" })
  page.rendered = true
  page.reread = async () => ({ through: "1-3", mode: "reset", show: () => (page.text = "<b>abc</b>") })
  passages.take({ through: "1-2", mode: "reset", show: () => (page.text = "<b>ab</b>") })
  assert.equal(page.text, "<b>ab</b>")
  log.pop()
  await clock.forward(7000)
  assert.equal(page.text, "<b>abc</b>")
  log.push(end)
  await clock.forward(30_000)
  assert.deepEqual([page.text, page.closed], ["<b>abc</b>", "done"])
})

// xorshift: the same every time.
function chance(seed) {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

for (let seed = 1; seed <= 50; seed++) {
  test(`a cable that drops, doubles and reorders a tenth, attempts that begin anew, a page at any moment: seed ${seed}`, async () => {
    const random = chance(seed * 7919)
    const log = []
    const messages = []
    let sent = "0-0"
    for (let epoch = 1; epoch <= 3; epoch++) {
      const words = Array.from({ length: 60 }, () => `${Math.floor(random() * 1000)} `)
      const entries = numbered(words, epoch)
      if (epoch === 3) entries.push(entry("3-61", { state: "completed" }, "done"))
      while (entries.length) {
        const range = entries.splice(0, 1 + Math.floor(random() * 5))
        log.push(...range)
        const content = range.map(({ event, data }) => (event === "token" ? JSON.parse(data).content : "")).join("")
        const mode = range[0].event === "attempt" ? "reset" : "continue"
        messages.push({ at: log.length, passage: { after: sent, through: range.at(-1).id, mode, content, events: range.filter(({ event }) => event === "done") } })
        sent = range.at(-1).id
      }
    }
    const came = messages.flatMap((message) => {
      const kind = random()
      if (kind < 0.1) return []
      return kind < 0.2 ? [message, message] : [message]
    })
    for (let index = 0; index < came.length - 1; index++) {
      if (random() < 0.1) [came[index], came[index + 1]] = [came[index + 1], came[index]]
    }
    const start = Math.floor(random() * came.length)
    const stored = []
    const { clock, page, passages } = reading({ log: stored })
    const store = (length) => stored.push(...log.slice(stored.length, Math.max(length, stored.length)))
    store(came[0]?.at ?? 1)
    for (const [index, { at, passage: said }] of came.entries()) {
      store(at)
      if (index >= start) passages.take(said)
      await clock.forward(random() * 100)
    }
    store(log.length)
    await clock.forward(60_000)
    const expected = log.filter(({ id, event }) => id.startsWith("3-") && event === "token").map(({ data }) => JSON.parse(data).content).join("")
    assert.equal(page.text, expected)
    assert.equal(page.closed, "done")
    assert.deepEqual(page.positions, [...page.positions].sort((one, other) => key(one) - key(other)), "monotonic")
  })
}
