// Ranges of a log into a page, each once and in order: see docs/generations.md.

const HELD = 100 // passages that came too early
const PATIENCE = 200 // ms for what is missing to come by itself
const QUIET = 5000 // ms after which the log is asked whether there is more
const CEILING = 30_000 // ms between tries
const CLOSES = { done: "completed", failed: "failed", cancelled: "cancelled", timed_out: "timed_out" }

// Whatever order passages come in; what is missing is loaded from the log. `page` has the position
// and what is done with it: { position, rendered, add(text), replace(text), tell(entry), close(entry), fail(status), load(after), reread() }.
export class Passages {
  #page
  #held = new Map() // by their end
  #timer = null
  #missing = false // whether the timer is about something that is missing
  #loading = false
  #again = false
  #failures = 0 // to load what is missing
  #quiet = 0 // loads that found nothing new
  #over = false

  constructor(page) {
    this.#page = page
    this.#wait()
  }

  // { after, through, mode, content, events }, or with show() in the place of the last two.
  take(passage) {
    if (this.#over || this.#has(passage.through)) return
    this.#quiet = 0
    if (this.#fits(passage)) this.#show(passage)
    else if (this.#held.size < HELD) this.#held.set(passage.through, passage)
    this.#release()
    this.#wait()
  }

  // What the log has behind the position.
  async load() {
    this.#again = this.#loading // what is being answered may be older than the reason to ask
    if (this.#over || this.#loading) return
    this.#loading = true
    const before = this.#page.position
    try {
      while (await this.#loadPage());
      this.#failures = this.#held.size && before === this.#page.position ? this.#failures + 1 : 0
      this.#quiet = before === this.#page.position ? this.#quiet + 1 : 0
    } catch {
      this.#failures += 1
    }
    this.#loading = this.#missing = false
    this.#wait()
    if (this.#again) await this.load()
  }

  stop() {
    this.#over = true
    clearTimeout(this.#timer)
    this.#held.clear()
  }

  async #loadPage() {
    const asked = this.#page.position
    const { entries, head, next, refused } = await this.#page.load(asked)
    if (this.#over) return false
    if (refused) {
      this.stop()
      this.#page.fail(refused)
      return false
    }
    for (const entry of entries) this.#enter(entry, asked)
    this.#release()
    // A page that was rendered after the end, or with it, has its position.
    if (!this.#over && head.state && this.#page.position === head.position) this.#end(head)
    if (this.#over || !entries.length) return false
    if (!this.#page.rendered) return next !== head.position
    const whole = await this.#page.reread()
    if (whole) this.take(whole)
    return false
  }

  #wait() {
    if (this.#over || (this.#missing && this.#held.size)) return
    clearTimeout(this.#timer)
    this.#missing = this.#held.size > 0
    const delay = this.#missing ? PATIENCE * 2 ** this.#failures : QUIET * 2 ** Math.max(this.#failures, this.#quiet)
    this.#timer = setTimeout(() => this.load(), Math.min(delay, CEILING) * (1 + Math.random() / 4))
  }

  #has(position) {
    return order(position, this.#page.position) <= 0
  }

  #fits({ after, mode }) {
    return mode === "reset" || after === this.#page.position
  }

  #release() {
    for (const [through, passage] of this.#held) {
      if (this.#has(through)) this.#held.delete(through)
      else if (this.#fits(passage)) {
        this.#held.delete(through)
        this.#show(passage)
        return this.#release()
      }
    }
  }

  #show({ through, mode, content, events = [], show }) {
    this.#page.position = through
    if (show) return show()
    if (mode === "reset") this.#page.replace(content)
    else this.#page.add(content)
    for (const event of events) this.#tell(event)
  }

  // An entry of the log, or what the log has in the place of several.
  #enter(entry, asked) {
    const { id, event: type, data } = entry
    const said = parse(data)
    const back = type === "gap" && said.after === "0-0" && asked !== "0-0" // the log has lost its end
    if ((this.#has(id) && !back) || (this.#page.rendered && !closes(type, said))) return
    this.#page.position = id
    if (type === "gap") {
      if (said.mode === "continue") this.#page.add(said.content)
      else this.#page.replace(said.content)
      for (const event of said.events ?? []) this.#tell(event)
    } else if (type === "attempt" && said.mode === "reset") this.#page.replace("")
    else if (typeof said?.content === "string") this.#page.add(said.content)
    else this.#tell(entry)
  }

  #tell(entry) {
    const said = parse(entry.data)
    if (closes(entry.event, said)) this.#end({ state: said.state, position: entry.id }, entry.data)
    else if (entry.event !== "attempt") this.#page.tell(entry, said)
  }

  #end({ state, position }, data = JSON.stringify({ state })) {
    this.stop()
    this.#page.close({ id: position, event: Object.keys(CLOSES).find((type) => CLOSES[type] === state), data })
  }
}

// Of positions "epoch-sequence": negative where the first comes before the second.
function order(one, other) {
  const [epoch, sequence] = one.split("-").map(Number)
  const [otherEpoch, otherSequence] = other.split("-").map(Number)
  return epoch - otherEpoch || sequence - otherSequence
}

function closes(type, said) {
  return said?.state !== undefined && CLOSES[type] === said.state
}

function parse(json) {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
