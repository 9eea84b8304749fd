import { Passages } from "streamer-rails/passages"

/** `<streamer-text>`: the text of a generation that Turbo Streams bring. */
export class TextElement extends HTMLElement {
  readonly passages: Passages
  position: string
  protected subscribe(signal: AbortSignal): void
  protected refresh(): void
}
