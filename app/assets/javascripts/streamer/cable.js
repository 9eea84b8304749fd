// A generation's text in the page by Action Cable, without Turbo: see docs/generations.md.
import { createConsumer } from "@rails/actioncable"
import { TextElement } from "streamer-rails/broadcasts"

export class CableTextElement extends TextElement {
  static consumer // of the application's own, if it has one

  subscribe(signal) {
    const consumer = (CableTextElement.consumer ??= createConsumer())
    const subscription = consumer.subscriptions.create(
      { channel: "Streamer::GenerationChannel", signed_stream_name: this.getAttribute("signed-stream-name") },
      { connected: () => this.passages.load(), received: (message) => this.#receive(message) },
    )
    signal.addEventListener("abort", () => subscription.unsubscribe())
  }

  #receive(message) {
    if (message.status) this.refresh()
    else this.passages.take(message)
  }
}

if (!customElements.get("streamer-cable-text")) customElements.define("streamer-cable-text", CableTextElement)
