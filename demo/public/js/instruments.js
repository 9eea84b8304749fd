// Everything around a stream that is the same on each page: the state, the figures, the strip, the last events as they
// came, the failure box, and the form's buttons and keys.
import { EventStream } from "/streamer.js"
import { Strip } from "./strip.js"

const STATES = {
  idle: "Ready",
  connecting: "Connecting",
  open: "Waiting",
  streaming: "Receiving",
  reconnecting: "Reconnecting",
  done: "Finished",
  stopped: "Stopped",
  failed: "Failed",
}
const FRAMES = 5
const WINDOW = 2000 // ms over which the rate is taken while it changes

const byId = (id) => document.getElementById(id)
export const seconds = (ms) => `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`
const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : seconds(ms))

// `handlers`: what to do with the data of each type of event. `start` is called before a stream is opened, `reset` when it begins again,
// `changed` with each new state and whether the stream goes on; `counts` says of an event's data whether it is one for the figures.
export function instrument(handlers, { start, reset: again = () => {}, changed = () => {}, counts = () => true }) {
  const form = byId("form")
  const strip = new Strip(byId("strip"))
  let stream, opened, first, last, recent, count, gap, frames, scheduled

  const reset = () => {
    opened = performance.now()
    first = last = null
    recent = []
    count = 0
    gap = 0
    frames = []
    byId("failure").replaceChildren()
    byId("frames").replaceChildren()
    render()
    strip.start(opened)
  }

  const render = () => {
    scheduled = false
    byId("first").textContent = count ? seconds(first - opened) : "–"
    byId("count").textContent = count || "–"
    byId("gap").textContent = count > 1 ? duration(gap) : "–"
    byId("rate").textContent = rate()?.toFixed(1) ?? "–"
    if (frames.length) byId("frames").textContent = frames.join("\n\n")
    byId("frames").scrollTop = byId("frames").scrollHeight // the last one whole, whatever the others take
  }

  // Events a second: of the last moments while they come, of the whole when they have.
  const rate = () => {
    if (count < 3) return
    if (!stream.live) return ((count - 1) * 1000) / (last - first)
    const since = performance.now() - WINDOW
    while (recent[0] < since) recent.shift()
    return (recent.length * 1000) / Math.min(WINDOW, performance.now() - first)
  }

  // However many events a frame of the screen has, the page is written to once.
  const schedule = () => {
    if (!scheduled) requestAnimationFrame(render)
    scheduled = true
  }

  const receive = ({ type, data, id }) => {
    const now = performance.now()
    if (type === "done") {
      strip.mark(now, "done")
    } else if (counts(data)) {
      strip.mark(now, count ? "event" : "first")
      gap = Math.max(gap, now - (last ?? now))
      first ??= now
      last = now
      recent.push(now)
      count += 1
    }
    frames.push([`event: ${type}`, ...(id ? [`id: ${id}`] : []), `data: ${data}`].join("\n"))
    if (frames.length > FRAMES) frames.shift()
    schedule()
    handlers[type]?.(JSON.parse(data))
  }

  const become = (state, message) => {
    if (byId("state").dataset.state === state) return
    byId("state").dataset.state = state
    byId("state").textContent = STATES[state]
    byId("stop").setAttribute("aria-disabled", !stream.live)
    byId("status").textContent = spoken(state, count, performance.now() - opened)
    if (state === "reconnecting") strip.mark(performance.now(), "lost")
    if (state === "failed") {
      strip.mark(performance.now(), "failed")
      byId("failure").append(failureBox(message, count))
    }
    if (!stream.live) {
      strip.stop(performance.now())
      schedule()
    }
    changed(state, stream.live)
  }

  const open = (url) => {
    stream?.close()
    stream = new EventStream(url, { events: Object.keys(handlers) })
    const on = (name, listener) => stream.addEventListener(`streamer:${name}`, ({ detail }) => listener(detail))
    on("open", () => become("open"))
    on("message", (event) => {
      become("streaming")
      receive(event)
    })
    on("reset", again)
    on("done", (event) => {
      receive(event)
      become("done")
    })
    on("error", ({ fatal, message }) => become(fatal ? "failed" : "reconnecting", message))
    stream.open()
    become("connecting")
  }

  const stop = () => {
    if (!stream?.live) return
    stream.stop()
    become("stopped")
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault()
    reset()
    start()
    open(`${form.action}?${new URLSearchParams(new FormData(form))}`)
    reveal(document.querySelector(".instruments"))
  })
  byId("stop").addEventListener("click", stop)
  addEventListener("keydown", (event) => event.key === "Escape" && stop())
  for (const range of form.querySelectorAll("input[type=range]")) {
    const show = () => (byId(`${range.id}-text`).textContent = `${range.value} ${range.dataset.unit}`)
    range.addEventListener("input", show)
    show() // a browser may have kept a value from before
  }
}

// The states worth a word to someone who listens. A failure is an alert of its own.
function spoken(state, count, elapsed) {
  switch (state) {
    case "connecting": return "Asked."
    case "reconnecting": return "Connection lost, trying again."
    case "done": return `Finished, ${count} events in ${seconds(elapsed)}.`
    case "stopped": return `Stopped after ${count} events.`
    default: return ""
  }
}

function failureBox(message, delivered) {
  const box = byId("failure-box").content.cloneNode(true)
  box.querySelector("h3").textContent = delivered ? "It broke off" : "It did not go through"
  box.querySelector(".message").textContent = message
  box.querySelector(".delivered").textContent =
    delivered ? `${delivered} events had arrived; they are kept.` : "Nothing had arrived."
  box.querySelector("button").addEventListener("click", () => byId("form").requestSubmit())
  return box
}

// On a phone the instruments are below the form.
function reveal(element) {
  const { top, bottom } = element.getBoundingClientRect()
  if (top < 0 || bottom > innerHeight) element.scrollIntoView()
}
