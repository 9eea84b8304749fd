import { Controller } from "@hotwired/stimulus"

/** Shows an event stream in the page. Register it as "streamer". */
export default class StreamerController extends Controller<HTMLElement> {
  /** An action: opens the stream; of a form's submit event, with the form's action, method and fields. */
  start(event?: Event): void
  /** An action: ends the stream. */
  stop(): void
}
