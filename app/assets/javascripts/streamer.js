// Event streams in the browser: see docs/browser.md.

const MAX_EVENT = 16 * 1024 * 1024 // characters of one event
const MAX_DELAY = 2 ** 31 - 1 // ms; setTimeout takes more for none
const FIRST_DELAY = 1000
const BACK_OFF_CEILING = 30_000
const BROWSER_CONNECTIONS = 6 // to one origin over HTTP/1.1
const OVERLOADED = [429, 503] // says a server that has not begun
const UNREACHABLE = [502, 504] // says a proxy
const CLOSES = { done: "completed", failed: "failed", cancelled: "cancelled", timed_out: "timed_out" } // of a log, and the state they leave

// Bytes of an event stream, cut anywhere, into events, as the HTML Standard interprets them. `numbered` tells whether an event has an
// id of its own; `id` is the last one that the stream had.
export class Decoder {
  lastEventId
  retry = null
  #utf8 = new TextDecoder() // which takes the byte order mark away
  #line = ""
  #afterCR = false
  #data = ""
  #type = ""
  #id
  #numbered = false

  constructor(lastEventId = "") {
    this.lastEventId = this.#id = lastEventId
  }

  feed(bytes) {
    let text = this.#utf8.decode(bytes, { stream: true })
    if (!text) return []
    if (this.#afterCR && text[0] === "\n") text = text.slice(1)
    this.#afterCR = text.endsWith("\r")

    const events = []
    const lines = text.split(/\r\n?|\n/)
    lines[0] = this.#line + lines[0]
    this.#line = lines.pop()
    for (const line of lines) {
      if (line) this.#field(line)
      else this.#dispatch(events)
    }
    if (this.#line.length + this.#data.length > MAX_EVENT) throw new RangeError(`An event has more than ${MAX_EVENT} characters.`)
    return events
  }

  #field(line) {
    const [, name, value = ""] = /^([^:]*)(?:: ?([^]*))?$/.exec(line)
    if (name === "data") this.#data += value + "\n"
    else if (name === "event") this.#type = value
    else if (name === "id" && !value.includes("\0")) {
      this.#id = value
      this.#numbered = true
    } else if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Math.min(value, MAX_DELAY)
  }

  #dispatch(events) {
    this.lastEventId = this.#id
    if (this.#data) {
      const { lastEventId: id } = this
      events.push({ type: this.#type || "message", data: this.#data.slice(0, -1), id, numbered: this.#numbered })
    }
    this.#data = this.#type = ""
    this.#numbered = false
  }
}

const connected = new Set()

// One event stream and its reconnections. It dispatches streamer:open, :message, :gap, :reset, :state, :done and :error.
export class EventStream extends EventTarget {
  state = "closed" // connecting, open, reconnecting, done, stopped, failed
  #url
  #options
  #types
  #heard
  #target
  #connection = null // { close }
  #listeners
  #timer
  #native // whether the connection is the browser's EventSource
  #tried = false
  #paused = false
  #id
  #last // the event that #id came with
  #unnumbered = new Set() // types of events without an id between events that have one
  #delivered = false
  #beats = false
  #failures = 0
  #retry = null
  #notBefore = 0
  #openedAt
  #lostAt
  #life // when the server last gave a sign of life

  constructor(url, {
    events = [], done = "done", cursor = "", method = "GET", headers = {}, body, credentials = "same-origin", heartbeat = 15, target,
  } = {}) {
    super()
    this.#url = new URL(url, globalThis.document?.baseURI)
    this.#options = { done, method: method.toUpperCase(), headers, body, credentials, heartbeat }
    this.#types = new Set(["message", ...events])
    this.#heard = new Set(["error", "heartbeat", "attempt", "gap", "state", done, ...Object.keys(CLOSES), ...this.#types])
    this.#target = target ?? this
    this.#id = String(cursor)
  }

  get cursor() {
    return this.#id
  }

  get live() {
    return ["connecting", "open", "reconnecting"].includes(this.state)
  }

  open() {
    if (this.live) return
    this.state = "connecting"
    this.#failures = 0
    this.#paused = false
    this.#listen()
    this.#connect()
  }

  stop() {
    if (this.live) this.#end("stopped")
  }

  close() {
    if (this.live) this.#end("closed")
  }

  #end(state) {
    this.state = state
    this.#listeners.abort()
    this.#disconnect()
  }

  #disconnect() {
    clearTimeout(this.#timer)
    this.#connection?.close()
    this.#connection = null
    connected.delete(this)
  }

  #connect() {
    this.#disconnect()
    this.#life = Date.now()
    this.#native = !this.#tried && this.#sufficesEventSource()
    this.#tried = true
    this.#connection = this.#native ? this.#subscribe() : this.#request()
    connected.add(this)
    this.#warnOfTooMany()
  }

  // A new EventSource cannot send an id. It comes back by itself, but once only: then it would neither wait longer each time nor say with
  // which status it was turned away, so from there on the stream is fetched.
  #sufficesEventSource() {
    const { method, headers } = this.#options
    return globalThis.EventSource && method === "GET" && !this.#id && !Object.keys(headers).length
  }

  #subscribe() {
    const source = new EventSource(this.#url, { withCredentials: this.#options.credentials === "include" })
    source.onopen = () => this.#opened()
    for (const type of this.#heard) {
      source.addEventListener(type, ({ data, lastEventId }) => data !== undefined && this.#take({ type, data, id: lastEventId }))
    }
    source.addEventListener("error", ({ data }) => {
      if (data !== undefined) return
      if (source.readyState === EventSource.CONNECTING && !this.#failures) return this.#interrupted()
      // How long it has waited is what the server asked for, which an EventSource does not tell.
      if (this.state === "reconnecting") this.#retry = Math.min(Date.now() - this.#lostAt, BACK_OFF_CEILING)
      this.#lost()
    })
    return source
  }

  #request() {
    const controller = new AbortController()
    this.#read(controller.signal).catch((error) => {
      if (controller.signal.aborted) return
      if (error instanceof RangeError) this.#fail("too_large", error.message)
      else this.#lost()
    })
    return { close: () => controller.abort() }
  }

  async #read(signal) {
    const { method, headers, body, credentials } = this.#options
    const ours = this.#url.origin === globalThis.location?.origin
    const response = await fetch(this.#url, {
      method, body, credentials, signal, cache: "no-store",
      mode: ours ? "same-origin" : "cors",
      headers: { accept: "text/event-stream", ...(ours && csrf(method)), ...(this.#id && { "last-event-id": byteString(this.#id) }), ...headers },
    })
    const { status } = response
    if (status === 204) return this.#finish({})
    const refused = OVERLOADED.includes(status)
    if (refused || UNREACHABLE.includes(status)) return this.#lost({ status, refused, after: retryAfter(response) })
    if (!response.ok || !/^text\/event-stream\s*(;|$)/i.test(response.headers.get("content-type"))) {
      return this.#fail("refused", `The server did not answer with an event stream (status ${status}).`, status)
    }

    this.#opened()
    const decoder = new Decoder(this.#id)
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (signal.aborted) return
      if (done) return this.#lost()
      this.#life = Date.now()
      const events = decoder.feed(value)
      this.#retry = decoder.retry ?? this.#retry
      for (const event of events) {
        this.#take(event)
        if (signal.aborted) return
      }
    }
  }

  #opened() {
    this.state = "open"
    this.#life = this.#openedAt = Date.now()
    this.#dispatch("open")
    // Without a cursor the server can but begin again.
    if (this.#delivered && !this.#id) this.#reset()
  }

  #take(event) {
    const { type, data, id } = event
    this.#life = Date.now()
    if (type === "heartbeat") return (this.#beats = true)
    if (!this.#isNews(event)) return
    this.#failures = 0
    const said = parse(data)
    if (type === this.#options.done || closes(type, said)) this.#finish({ type, data, id })
    else if (type === "gap") this.#fill(said, data, id)
    else if (type === "state") this.#dispatch("state", { ...said, id })
    else if (type === "error") {
      const { error = "error", message = data } = said ?? {}
      this.#fail(error, message)
    } else this.#dispatchMessage({ type, data, id })
  }

  // Whether it was not there before; moves the cursor to it.
  #isNews(event) {
    const { type, data, id, numbered } = event
    const last = this.#last
    if (!id && !numbered) return true
    if (id === this.#id) {
      if (type === this.#options.done) return true
      if (numbered !== undefined) return !numbered
      // An EventSource does not tell an event without an id from one that repeats the last id.
      if (type === last.type && data === last.data && !this.#unnumbered.has(type)) return false
      this.#unnumbered.add(type)
      return true
    }
    const from = position(this.#id)
    const to = position(id)
    const attempt = type === "attempt" && parse(data)
    if (type !== "gap" && from && to) {
      if (to.epoch < from.epoch || (to.epoch === from.epoch && to.sequence < from.sequence)) return false
      if (to.epoch > from.epoch) attempt?.mode === "continue" || this.#reset()
      else if (to.sequence > from.sequence + 1n) this.#dispatch("gap", { after: this.#id, before: id })
    } else if (attempt?.from && attempt.mode === "reset") this.#reset(id)
    this.#id = id
    this.#last = event
    return true
  }

  // Of one log among several, whose place is in the id.
  #reset(id) {
    const [, log] = /^([0-9]+):/.exec(id) ?? []
    if (!log) this.#delivered = false
    this.#dispatch("reset", log ? { log: Number(log) } : {})
  }

  // A log's text in the place of entries that are gone, and those of them that are no text.
  #fill(gap, data, id) {
    if (typeof gap?.content !== "string") return this.#dispatchMessage({ type: "gap", data, id })
    if (gap.after === "0-0" && !gap.mode && this.#delivered) this.#reset(id)
    this.#delivered = true
    this.#dispatch("gap", { mode: "reset", events: [], ...gap, id })
    for (const { event: type, ...missed } of gap.events ?? []) this.#dispatchMessage({ type, ...missed })
  }

  #dispatchMessage(message) {
    if (!this.#types.has(message.type)) return
    this.#delivered = true
    this.#dispatch("message", message)
  }

  #finish(detail) {
    this.#end("done")
    this.#dispatch("done", detail)
  }

  #fail(error, message, status) {
    this.#end("failed")
    this.#dispatch("error", { fatal: true, error, message, status })
  }

  #interrupted(status) {
    if (this.state === "open" && Date.now() - this.#openedAt > BACK_OFF_CEILING) this.#failures = 0
    const delay = this.#delay()
    this.#lostAt = Date.now()
    this.#failures += 1
    this.state = "reconnecting"
    this.#dispatch("error", { fatal: false, error: "interrupted", message: "The connection was lost.", status })
    return delay
  }

  // `refused` by the server, so that the request had no effect; otherwise it may have had one, and only a GET may be sent again without a
  // position to go on from.
  #lost({ status, refused, after = 0 } = {}) {
    this.#disconnect()
    if (!refused && this.#options.method !== "GET" && !this.#id) return this.#fail("interrupted", "The connection was lost.")
    const delay = this.#interrupted(status)
    if (this.state !== "reconnecting" || this.#connection || this.#paused) return // a listener's doing
    this.#notBefore = Date.now() + after
    this.#timer = setTimeout(() => this.#connect(), Math.min(Math.max(delay, after) + Math.random() * delay, MAX_DELAY))
  }

  #delay() {
    const base = this.#retry ?? FIRST_DELAY
    if (!this.#failures) return base
    return Math.min(Math.max(base, FIRST_DELAY) * 2 ** this.#failures, Math.max(base, BACK_OFF_CEILING))
  }

  #listen() {
    this.#listeners = new AbortController()
    const { signal } = this.#listeners
    const on = (target, type, listener) => target?.addEventListener?.(type, listener, { signal })
    const { document } = globalThis
    on(globalThis, "online", () => this.#wake())
    on(document, "visibilitychange", () => this.#wake())
    on(globalThis, "pagehide", () => this.#pause())
    on(globalThis, "pageshow", () => this.#resume())
    // What belongs to no element of the page, or to one that stays, goes on across visits.
    on(document, "turbo:before-cache", () => this.#target.closest?.("[data-turbo-permanent]") === null && this.#pause())
    on(document, "turbo:render", () => (this.#target.isConnected === false ? this.close() : this.#resume()))
  }

  #pause() {
    this.#paused = true
    this.state = "reconnecting"
    this.#disconnect()
  }

  #resume() {
    if (!this.#paused) return this.#wake()
    this.#paused = false
    this.#connect()
  }

  #wake() {
    const now = Date.now()
    if (this.#paused || globalThis.document?.visibilityState === "hidden" || now < this.#notBefore) return
    const waiting = !this.#connection || (this.#native && this.state === "reconnecting")
    // A silent EventSource may have had comments, and without a cursor a new connection would cost what has come.
    const resumable = this.#id || (this.#native ? this.#beats : this.#options.method === "GET")
    if (waiting || (resumable && now - this.#life > 2500 * this.#options.heartbeat)) this.#connect()
  }

  #warnOfTooMany() {
    const [page] = globalThis.performance?.getEntriesByType?.("navigation") ?? []
    const here = [...connected].filter((stream) => stream.#url.origin === globalThis.location?.origin).length
    if (here >= BROWSER_CONNECTIONS && page?.nextHopProtocol === "http/1.1") {
      console.warn(
        `streamer: ${here} streams are open over HTTP/1.1, where a browser has ${BROWSER_CONNECTIONS} connections: other requests wait. ` +
          "Serve the page over HTTP/2, or open fewer.",
      )
    }
  }

  #dispatch(name, detail = {}) {
    this.#target.dispatchEvent(new CustomEvent(`streamer:${name}`, { bubbles: true, detail }))
  }
}

// "epoch-sequence" or a plain number; undefined for other ids, of which only sameness is known.
function position(id) {
  const match = /^(?:([0-9]{1,19})-)?([0-9]{1,19})$/.exec(id)
  return match && { epoch: BigInt(match[1] ?? 0), sequence: BigInt(match[2]) }
}

// Whether it is the last entry of a log, which says so in its data: other streams may have such events, too.
function closes(type, said) {
  return said?.state !== undefined && CLOSES[type] === said.state
}

function csrf(method) {
  const token = globalThis.document?.querySelector("meta[name=csrf-token]")?.content
  return token && method !== "GET" && { "x-csrf-token": token }
}

function retryAfter(response) {
  const value = response.headers.get("retry-after") ?? ""
  return (/^[0-9]+$/.test(value) ? value * 1000 : Date.parse(value) - Date.now()) || 0
}

// A header's value as UTF-8, as an EventSource sends it.
function byteString(text) {
  return String.fromCharCode(...new TextEncoder().encode(text))
}

function parse(json) {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
