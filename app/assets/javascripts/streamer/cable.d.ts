import { Consumer } from "@rails/actioncable"
import { TextElement } from "streamer-rails/broadcasts"

/** `<streamer-cable-text>`: the text of a generation that Streamer::GenerationChannel brings. */
export class CableTextElement extends TextElement {
  /** The application's own, to be set before the first element is in the page; otherwise one is made. */
  static consumer?: Consumer
}
