// A generation's text in the page, as broadcasts bring it: see docs/generations.md.
import { Passages } from "streamer-rails/passages"

const FINAL = 2000 // ms from the log's end to the record's state

// The element that has the text; what is in it is the text up to its position. `src`: where the log is read. `for`: the id of the element that
// shows the record, whose state is rendered there in the end.
export class TextElement extends HTMLElement {
  #listeners
  #timer

  connectedCallback() {
    if (document.documentElement.hasAttribute("data-turbo-preview")) return
    this.setAttribute("aria-live", this.getAttribute("aria-live") ?? "polite")
    this.setAttribute("aria-busy", "true")
    this.passages = new Passages(this)
    this.#listeners = new AbortController()
    const { signal } = this.#listeners
    document.addEventListener("visibilitychange", () => document.hidden || this.passages.load(), { signal })
    this.subscribe(signal)
  }

  disconnectedCallback() {
    clearTimeout(this.#timer)
    this.#listeners?.abort()
    this.passages?.stop()
  }

  // To Turbo Streams of this text, by whatever way they come.
  subscribe(signal) {
    document.addEventListener("turbo:before-stream-render", (event) => this.#hear(event), { signal })
    // What was said before the page had subscribed, or while it was disconnected, nobody says again.
    const observer = new MutationObserver((changes) => changes.some(({ target }) => target.hasAttribute("connected")) && this.passages.load())
    observer.observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ["connected"] })
    signal.addEventListener("abort", () => observer.disconnect())
    if (document.querySelector("turbo-cable-stream-source[connected]")) this.passages.load()
  }

  #hear({ detail }) {
    const { newStream: { target, dataset }, render } = detail
    const { streamerAfter: after, streamerThrough: through } = dataset
    if (!through || target !== this.id) return
    detail.render = (stream) => this.passages.take({ after, through, mode: after ? "continue" : "reset", show: () => render(stream) })
  }

  get position() {
    return this.getAttribute("position") ?? "0-0"
  }

  set position(position) {
    this.setAttribute("position", position)
  }

  // Whether what is in it is more than text, so that none can be added.
  get rendered() {
    return this.hasAttribute("rendered")
  }

  add(text) {
    if (this.lastChild?.nodeType !== Node.TEXT_NODE) this.append("")
    this.lastChild.appendData(text)
  }

  replace(text) {
    this.textContent = text
  }

  tell({ id, event: type, data }, said) {
    if (type === "state") this.#dispatch("state", { ...said, id })
    else this.#dispatch("message", { type, data, id })
  }

  close({ id, event: type, data }) {
    this.setAttribute("aria-busy", "false")
    this.#dispatch("done", { type, data, id })
    this.#timer = setTimeout(() => this.refresh(), FINAL)
  }

  fail(status) {
    this.setAttribute("aria-busy", "false")
    this.#dispatch("error", { fatal: true, error: "refused", message: `The log could not be read (status ${status}).`, status })
  }

  // The page as it is now, with the record's state.
  refresh() {
    if (!this.isConnected || !this.hasAttribute("for")) return
    if (!customElements.get("turbo-stream")) return location.reload()
    const stream = document.createElement("turbo-stream")
    stream.setAttribute("action", "refresh")
    document.body.append(stream)
  }

  async load(after) {
    const url = new URL(this.getAttribute("src"), document.baseURI)
    url.searchParams.set("after", after)
    const response = await fetch(url, { headers: { accept: "application/json" }, cache: "no-store", credentials: "same-origin" })
    if (response.ok) return response.json()
    if ([408, 429].includes(response.status) || response.status >= 500) throw new Error(response.statusText)
    return { refused: response.status }
  }

  // What is in it in the page as it is now.
  async reread() {
    const response = await fetch(document.baseURI, { headers: { accept: "text/html" }, cache: "no-store", credentials: "same-origin" })
    if (!response.ok) throw new Error(response.statusText)
    const found = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(this.id)
    if (!found) return this.refresh()
    return { through: found.getAttribute("position"), mode: "reset", show: () => this.replaceChildren(...found.childNodes) }
  }

  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(`streamer:${name}`, { bubbles: true, detail }))
  }
}

if (!customElements.get("streamer-text")) customElements.define("streamer-text", TextElement)
