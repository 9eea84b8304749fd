// One EventSource, and in one word what it is doing.
//
//   const stream = new Stream()
//   stream.on("token", (data) => …)     an event of that type, its data parsed
//   stream.open("/answer?question=…")   closes what was open before
//   stream.stop()
//
// It dispatches "state" whenever `state` changes, and "frame" for every event of the server.
//
//   idle → connecting → open → streaming → done | stopped | failed
//                         ↑        ↓
//                        reconnecting
export class Stream extends EventTarget {
  state = "idle"
  failure = null
  #handlers = {}
  #source = null

  on(type, handler) {
    this.#handlers[type] = handler
    return this
  }

  get running() {
    return ["connecting", "open", "streaming", "reconnecting"].includes(this.state)
  }

  open(url) {
    this.#source?.close()
    const source = (this.#source = new EventSource(url))
    this.failure = null
    this.#become("connecting")

    source.addEventListener("open", () => this.#become("open"))
    for (const type of Object.keys(this.#handlers)) {
      if (type !== "done") source.addEventListener(type, (event) => this.#receive(event))
    }
    // Without this an answer that is complete would be asked for again: EventSource takes the end of a response
    // for a lost connection.
    source.addEventListener("done", (event) => {
      this.#receive(event)
      this.#close("done")
    })
    // Two things have the name "error": the server's event, which has data, and the browser's own, which has none.
    source.addEventListener("error", (event) => {
      if (event.data !== undefined) this.#fail(JSON.parse(event.data).message)
      else if (source.readyState === EventSource.CONNECTING) this.#become("reconnecting")
      else this.#fail("The server did not answer with an event stream.")
    })
  }

  stop() {
    if (this.running) this.#close("stopped")
  }

  #receive(event) {
    if (event.type !== "done") this.#become("streaming")
    const { type, data, lastEventId } = event
    this.dispatchEvent(new CustomEvent("frame", { detail: { type, data, id: lastEventId } }))
    this.#handlers[type]?.(JSON.parse(data))
  }

  #fail(message) {
    this.failure = message
    this.#close("failed")
  }

  #close(state) {
    this.#source.close()
    this.#become(state)
  }

  #become(state) {
    if (state === this.state) return
    this.state = state
    this.dispatchEvent(new Event("state"))
  }
}
