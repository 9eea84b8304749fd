// One answer of the chat over an event stream, from where the page has it to its end.
import { EventStream } from "/streamer.js"
import { happened } from "./happenings.js"
import { showFinal, showPhase } from "./phases.js"
import { Speech } from "./speech.js"

export function follow(turn) {
  const { src, cursor } = turn.querySelector(".answer").dataset
  new Turn(turn, new EventStream(src, { cursor, events: ["attempt", "token"] })).start()
}

class Turn {
  #element
  #stream
  #text
  #speech = new Speech(document.getElementById("spoken"))
  #tokens // the line that counts them
  #count = 0
  #lost = false
  #phase

  constructor(element, stream) {
    this.#element = element
    this.#stream = stream
    this.#text = element.querySelector(".answer")
    this.#phase = element.querySelector(".standing").dataset.phase
  }

  start() {
    const on = (name, listener) => this.#stream.addEventListener(`streamer:${name}`, ({ detail }) => listener(detail))
    on("open", () => this.#opened())
    on("message", ({ type, data, id }) => (type === "attempt" ? this.#attempt(JSON.parse(data)) : this.#token(JSON.parse(data), id)))
    on("reset", () => this.#reset())
    on("gap", (gap) => this.#fill(gap))
    on("state", ({ phase }) => this.#become(phase))
    on("done", ({ data, id }) => this.#done(data ? JSON.parse(data) : {}, id))
    on("error", (error) => this.#error(error))
    this.#show()
    this.#stream.open()
  }

  #opened() {
    const { cursor } = this.#stream
    if (this.#lost) this.#say(`Connected again; the log goes on behind ${cursor}`, "good")
    else this.#say(cursor && cursor !== "0-0" ? `Connected; the page has the text up to ${cursor}` : "Connected")
    this.#lost = false
    this.#show()
  }

  #attempt({ n, mode }) {
    this.#say(`Attempt ${n} begins${n > 1 ? (mode === "reset" ? ", anew" : ", behind what is there") : ""}`, n > 1 ? "good" : "")
    this.#become("running")
  }

  #token({ content }, id) {
    if (!content) return
    this.#become("running")
    this.#append(content)
    this.#speech.add(content)
    this.#count += 1
    this.#tokens ??= happened("")
    this.#tokens.textContent = `${this.#count} ${this.#count === 1 ? "token" : "tokens"}, up to ${id}`
  }

  #reset() {
    if (this.#text.textContent) this.#say("What the attempt before had said is dropped")
    this.#text.replaceChildren()
    this.#speech.clear()
  }

  // Text in the place of entries that are in one piece by now.
  #fill({ content, mode, id }) {
    if (content === undefined) return
    if (mode !== "continue") this.#text.replaceChildren()
    this.#append(content)
    this.#say(`The text so far, ${content.length} characters, in one piece, up to ${id}`)
    this.#become("running")
  }

  #become(phase) {
    if (phase === this.#phase) return
    this.#phase = phase
    if (phase === "recovering") this.#say("Recovering: the worker’s lease is over", "accident")
    if (phase === "queued") this.#say("Queued")
    this.#show()
  }

  #done({ state, length }, id) {
    this.#speech.flush()
    const words = state ? `The log ends at ${id}: ${state.replace("_", " ")}, ${length} bytes` : "It had ended already"
    this.#say(words, !state || state === "completed" ? "good" : "accident")
    showFinal(this.#element)
  }

  #error({ fatal, message }) {
    if (fatal) return this.#say(message, "accident")
    if (!this.#lost) this.#say(`Connection lost at ${this.#stream.cursor || "the beginning"}`, "accident")
    this.#lost = true
    this.#show()
  }

  // Each token in an element of its own: CSS lets it light up as it lands.
  #append(text) {
    const token = document.createElement("span")
    token.textContent = text
    this.#text.append(token)
  }

  #show() {
    showPhase(this.#element, this.#lost ? "lost" : this.#phase)
  }

  #say(text, kind) {
    this.#tokens = undefined
    this.#count = 0
    happened(text, kind)
  }
}
