// Has a text read aloud by sentences, as it comes: tokens would be a stammer.
export class Speech {
  #region
  #sentence = ""

  constructor(region) {
    this.#region = region
  }

  add(text) {
    this.#sentence += text
    if (/[.!?:]\s*$/.test(this.#sentence)) this.flush()
  }

  flush() {
    const text = this.#sentence
    this.#sentence = ""
    if (!text.trim()) return
    const line = document.createElement("p")
    line.textContent = text
    this.#region.append(line)
    if (this.#region.children.length > 4) this.#region.firstChild.remove()
  }

  clear() {
    this.#sentence = ""
    this.#region.replaceChildren()
  }
}
