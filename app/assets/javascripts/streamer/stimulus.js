// Shows an event stream in the page, told by attributes: see docs/browser.md.
import { Controller } from "@hotwired/stimulus"
import { EventStream } from "streamer-rails"

const WORDS = {
  connecting: "Connecting", open: "Receiving", reconnecting: "Reconnecting", done: "Finished", stopped: "Stopped", failed: "Failed",
}
const LIVE = ["connecting", "open", "reconnecting"]
const OVER = ["done", "stopped", "failed"]
const LOG_LINES = 1000
const LONGEST_FRAME = 1000 // ms; a hidden tab has no frames

export default class extends Controller {
  static targets = ["text", "progress", "log", "stop", "state", "error"]
  static values = {
    src: String,
    method: { type: String, default: "get" },
    params: Object,
    event: { type: String, default: "message" },
    path: String,
    done: { type: String, default: "done" },
    cursor: String,
    state: String,
  }

  #stream
  #connected
  #messages = [] // since the last frame
  #frame
  #timer
  #kept // by the morphing under way

  connect() {
    if (document.documentElement.hasAttribute("data-turbo-preview")) return
    this.#connected = new AbortController()
    const { signal } = this.#connected
    const own = (type, listener) => {
      this.element.addEventListener(type, (event) => event.target === this.element && listener(event.detail), { signal })
    }
    own("streamer:open", () => this.#show())
    own("streamer:message", (message) => this.#collect(message))
    own("streamer:reset", () => this.#clear())
    own("streamer:gap", (gap) => this.#fill(gap))
    own("streamer:done", () => this.#show())
    own("streamer:error", ({ fatal, message }) => this.#show(fatal ? message : ""))
    document.addEventListener("turbo:before-cache", () => this.#write(), { signal })
    this.element.addEventListener("turbo:before-morph-element", (event) => this.#keepElement(event), { signal })
    this.element.addEventListener("turbo:before-morph-attribute", (event) => this.#keepAttribute(event), { signal })

    if (this.#stream?.state === "closed") this.#open()
    else if (this.srcValue && !OVER.includes(this.stateValue)) this.#begin(...this.#source())
    else this.#show()
  }

  disconnect() {
    this.#write()
    this.#connected?.abort()
    this.#connected = null
    this.#stream?.close()
  }

  srcValueChanged(src, previous) {
    if (!this.#connected || src === previous) return
    if (this.cursorValue === this.#stream?.cursor) this.cursorValue = ""
    if (src) this.#begin(...this.#source())
    else this.#stream?.close()
  }

  stopTargetConnected(button) {
    button.addEventListener("click", this.#stop)
  }

  stopTargetDisconnected(button) {
    button.removeEventListener("click", this.#stop)
  }

  // Of a form's submit event: its action, method and fields. Otherwise the values again, from where they had come to.
  start(event) {
    event?.preventDefault()
    if (event?.type !== "submit") return this.#begin(...this.#source())
    this.cursorValue = ""
    const form = event.target // whose properties may be hidden by fields of the same name
    this.#begin(...request(form.getAttribute("action") ?? "", form.getAttribute("method") ?? "get", new FormData(form, event.submitter)))
  }

  stop() {
    this.#stream?.stop()
    this.#show()
  }

  #stop = () => this.stop()

  #source() {
    const params = this.paramsValue
    const [url, options] = request(this.srcValue, this.methodValue, Object.entries(params))
    if (!options.body) return [url, options]
    return [url, { ...options, body: JSON.stringify(params), headers: { "content-type": "application/json" } }]
  }

  #begin(url, options) {
    this.#stream?.close()
    // What is there without a cursor comes again.
    if (this.stateValue && !this.cursorValue) this.#clear()
    this.#stream = new EventStream(url, {
      ...options, events: this.#events(), done: this.doneValue, cursor: this.cursorValue, target: this.element,
    })
    this.#open()
  }

  #open() {
    this.#stream.open()
    this.#show()
  }

  get #shown() {
    return [...this.textTargets, ...this.progressTargets, ...this.logTargets]
  }

  #events() {
    return [this.eventValue, ...this.#shown.map((target) => target.dataset.streamerEvent ?? "")].flatMap(names)
  }

  #collect(message) {
    this.#messages.push(message)
    if (this.#timer) return
    this.#frame = requestAnimationFrame(() => this.#write())
    this.#timer = setTimeout(() => this.#write(), LONGEST_FRAME)
  }

  // The cursor goes into the page with the text that it stands for, so that a copy of the page has both.
  #write() {
    const messages = this.#forget()
    if (!messages.length) return
    const values = (target, path = target.dataset.streamerPath ?? this.pathValue) => {
      const events = names(target.dataset.streamerEvent ?? this.eventValue)
      return messages.filter(({ type }) => events.includes(type)).map(({ data }) => dig(data, path)).filter((value) => value !== undefined)
    }
    for (const target of this.textTargets) appendText(target, values(target).join(""))
    for (const target of this.logTargets) appendLines(target, values(target))
    for (const target of this.progressTargets) {
      const { streamerMax } = target.dataset
      const max = streamerMax && values(target, streamerMax).pop()
      if (max > 0) target.max = Number(max)
      const value = Number(values(target).pop())
      if (Number.isFinite(value)) target.value = value
    }
    this.cursorValue = this.#stream.cursor
  }

  #forget() {
    cancelAnimationFrame(this.#frame)
    clearTimeout(this.#timer)
    this.#timer = null
    return this.#messages.splice(0)
  }

  // A log's text takes the place of what is there of it.
  #fill({ content, mode }) {
    if (content === undefined) return
    this.#write()
    for (const target of this.textTargets) {
      if ((target.dataset.streamerPath ?? this.pathValue) !== "content") continue
      if (mode !== "continue") target.textContent = ""
      appendText(target, content)
    }
    this.cursorValue = this.#stream.cursor
  }

  #clear() {
    this.#forget()
    for (const target of [...this.textTargets, ...this.logTargets]) target.textContent = ""
    for (const target of this.progressTargets) target.value = 0
  }

  // Whoever listens hears a text when it is complete, and the state when it changes, but no log line by line.
  #show(failure = "") {
    this.#write()
    if (this.#stream) this.stateValue = this.#stream.state
    const state = this.stateValue
    const live = LIVE.includes(state)
    for (const target of this.textTargets) announce(target, { "aria-live": "polite" }).setAttribute("aria-busy", live)
    for (const target of this.logTargets) {
      announce(target, { "aria-live": "off", ...(!isList(target) && { role: "log" }) }).setAttribute("aria-busy", live)
    }
    for (const target of this.stopTargets) target.setAttribute("aria-disabled", !live)
    for (const target of this.stateTargets) {
      const words = target.dataset[state] ?? WORDS[state]
      if (announce(target, { role: "status" }).textContent !== words && words !== undefined) target.textContent = words
    }
    for (const target of this.errorTargets) {
      announce(target, { role: "alert" }).textContent = failure
      target.hidden = !failure
    }
  }

  // A page that Turbo morphs into this one has the same source, but not what came from it.
  #keepElement(event) {
    const { target, detail: { newElement } } = event
    const name = `data-${this.identifier}-src-value`
    if (target === this.element) this.#kept = newElement?.getAttribute(name) === target.getAttribute(name)
    else if (this.#kept && newElement && this.#owns(target)) event.preventDefault()
  }

  #keepAttribute(event) {
    const { target, detail: { attributeName } } = event
    const ours = ["cursor", "state"].map((name) => `data-${this.identifier}-${name}-value`)
    if (this.#kept && target === this.element && ours.includes(attributeName)) event.preventDefault()
  }

  #owns(target) {
    return [...this.#shown, ...this.stopTargets, ...this.stateTargets, ...this.errorTargets].includes(target)
  }
}

function names(text) {
  return text.split(" ").filter(Boolean)
}

function request(action, method, fields) {
  const url = new URL(action, document.baseURI)
  if (method.toLowerCase() !== "get") return [url, { method, body: fields }]
  for (const [name, value] of fields) url.searchParams.append(name, value)
  return [url, {}]
}

// The part of an event's JSON that a path such as "choices.0.delta.content" leads to; without a path, the data as it is.
function dig(data, path) {
  if (!path) return data
  let value
  try {
    value = JSON.parse(data)
  } catch {
    return undefined
  }
  for (const name of path.split(".")) value = value?.[name]
  return value ?? undefined
}

function appendText(target, text) {
  if (!text) return
  if (target.lastChild?.nodeType !== Node.TEXT_NODE) target.append("")
  target.lastChild.appendData(text)
}

function isList(target) {
  return /^(ul|ol)$/i.test(target.tagName)
}

// Follows the end, unless the reader has scrolled up.
function appendLines(target, lines) {
  const following = target.scrollHeight - target.scrollTop - target.clientHeight < 24
  const tag = isList(target) ? "li" : "div"
  for (const line of lines.slice(-LOG_LINES)) {
    const element = document.createElement(tag)
    element.textContent = line
    target.append(element)
  }
  while (target.childElementCount > LOG_LINES) target.firstElementChild.remove()
  if (following) target.scrollTop = target.scrollHeight
}

function announce(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (!target.hasAttribute(name)) target.setAttribute(name, value)
  }
  return target
}
