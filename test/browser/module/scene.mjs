// What a module in a page has around it, under the test's control: time, chance, a document, and a server behind `fetch`.
//
//   const { clock, page, server } = scene()
//   server.answer((request) => …)           a Response, or a rejection, for each request to come
//   const body = server.stream()            an endless response: body.write("data: a\n\n"), body.end(), body.cut()
//   await clock.forward(1000)               runs what is due within 1000 ms, in order
//   await page.fire("online")               at the window or, as the browser has it, the document
import { Buffer } from "node:buffer"
import { setMaxListeners } from "node:events"
import { EventStream } from "streamer-rails"

globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail, ...options } = {}) {
    super(type, options)
    this.detail = detail
  }
}

export const ORIGIN = "http://app.test"
const { setImmediate: soon } = globalThis
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => soon(resolve))
}

class Clock {
  now = 1_000_000
  #timers = new Map()
  #next = 1

  constructor() {
    globalThis.setTimeout = (run, delay = 0) => {
      this.#timers.set(this.#next, { at: this.now + delay, run })
      return this.#next++
    }
    globalThis.clearTimeout = (id) => this.#timers.delete(id)
    Date.now = () => this.now
  }

  // Milliseconds to the next timer; undefined without one.
  get next() {
    const times = [...this.#timers.values()].map(({ at }) => at - this.now)
    return times.length ? Math.min(...times) : undefined
  }

  async forward(ms) {
    const end = this.now + ms
    await settle()
    while (this.next !== undefined && this.now + this.next <= end) {
      this.now += this.next
      const [id, { run }] = [...this.#timers].find(([, { at }]) => at <= this.now)
      this.#timers.delete(id)
      run()
      await settle()
    }
    this.now = end
  }

  // Time passes, and nothing runs: a lid that is closed.
  sleep(ms) {
    this.now += ms
  }
}

class Page {
  constructor() {
    this.document = Object.assign(new EventTarget(), {
      baseURI: `${ORIGIN}/page`,
      visibilityState: "visible",
      querySelector: (selector) => (selector === "meta[name=csrf-token]" ? { content: "the-token" } : null),
    })
    const target = new EventTarget()
    setMaxListeners(0, target, this.document)
    globalThis.addEventListener = target.addEventListener.bind(target)
    globalThis.document = this.document
    globalThis.location = { origin: ORIGIN }
    this.target = target
  }

  async fire(type, properties = {}) {
    const target = /^turbo:|^visibilitychange$/.test(type) ? this.document : this.target
    target.dispatchEvent(Object.assign(new Event(type), properties))
    await settle()
  }
}

class Body {
  #controller
  left = false // by the reader

  constructor(signal) {
    this.stream = new ReadableStream({ start: (controller) => (this.#controller = controller), cancel: () => (this.left = true) })
    signal?.addEventListener("abort", () => this.#fail(signal.reason))
  }

  async write(text) {
    this.#controller.enqueue(typeof text === "string" ? Buffer.from(text) : text)
    await settle()
  }

  async end() {
    this.#controller.close()
    await settle()
  }

  async cut() {
    this.#fail(new TypeError("network error"))
    await settle()
  }

  #fail(error) {
    this.left = true
    try {
      this.#controller.error(error)
    } catch {
      // it had ended
    }
  }
}

class Server {
  requests = []
  bodies = []
  #answer = () => this.stream()

  constructor(clock) {
    globalThis.fetch = (url, options) => {
      const request = { url: String(url), at: clock.now, ...options }
      this.requests.push(request)
      return new Promise((resolve, reject) => {
        options.signal.addEventListener("abort", () => reject(options.signal.reason))
        Promise.resolve(this.#answer(request)).then((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)))
      })
    }
  }

  answer(script) {
    this.#answer = script
  }

  // The next answer of an endless stream is in `bodies`.
  stream() {
    const body = new Body(this.requests.at(-1).signal)
    this.bodies.push(body)
    return new Response(body.stream, { headers: { "content-type": "text/event-stream" } })
  }

  get body() {
    return this.bodies.at(-1)
  }

  // Moments of the requests, in ms since the one before.
  get waits() {
    return this.requests.slice(1).map(({ at }, index) => at - this.requests[index].at)
  }
}

export const refused = () => new TypeError("fetch failed")
export const status = (code, headers = {}) => new Response(null, { status: code, headers })

export function scene({ random = () => 0 } = {}) {
  Math.random = random
  const clock = new Clock()
  return { clock, page: new Page(), server: new Server(clock) }
}

// The names and details of what a stream dispatches, in order.
export function record(stream) {
  const events = []
  for (const name of ["open", "message", "gap", "reset", "state", "done", "error"]) {
    stream.addEventListener(`streamer:${name}`, ({ detail }) => events.push([name, detail]))
  }
  events.texts = () => events.filter(([name]) => name === "message").map(([, { data }]) => data)
  events.names = () => events.map(([name]) => name)
  return events
}

// A stream at the end of these frames, and what it has dispatched but for its connections; "|" is a lost one.
export async function play(frames, options) {
  const { clock, server } = scene()
  const stream = new EventStream("/log", options)
  const events = record(stream)
  stream.open()
  await clock.forward(0)
  for (const frame of frames) {
    if (frame !== "|") await server.body.write(frame)
    else {
      await server.body.cut()
      await clock.forward(1000)
    }
  }
  return { stream, server, events: events.filter(([name]) => name !== "open" && name !== "error") }
}
