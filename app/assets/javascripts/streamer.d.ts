/** One event. `numbered` tells whether it has an id of its own; `id` is the last one that the stream had. */
export interface DecodedEvent {
  type: string
  data: string
  id: string
  numbered: boolean
}

/** Bytes of an event stream, cut anywhere, into events. */
export class Decoder {
  constructor(lastEventId?: string)
  /** The id of the last complete event; an empty string without one. */
  lastEventId: string
  /** The reconnection time in ms that the stream gave; null without one. */
  retry: number | null
  /** The events that these bytes complete. Throws a RangeError for an event of more than 16 Mi characters. */
  feed(bytes: Uint8Array): DecodedEvent[]
}

export type State = "closed" | "connecting" | "open" | "reconnecting" | "done" | "stopped" | "failed"

export interface EventStreamOptions {
  /** Types of events to listen for, besides unnamed ones ("message"). */
  events?: string[]
  /** The type of the event that ends the stream; "done". */
  done?: string
  /** The id of the last event that the page has already; none. */
  cursor?: string
  /** "GET". Anything else is fetched, with the CSRF token of the page where the URL is of its origin. */
  method?: string
  /** Headers of each request. With any, the stream is fetched. */
  headers?: Record<string, string>
  /** The body of each request, so no stream. */
  body?: Exclude<BodyInit, ReadableStream>
  /** "same-origin", or "include" for cookies of another origin. */
  credentials?: RequestCredentials
  /** Seconds between the server's heartbeats; 15. After two and a half of them without a sign of life a page that wakes connects anew. */
  heartbeat?: number
  /** Where the events are dispatched; the stream itself. */
  target?: EventTarget
}

export interface MessageDetail {
  type: string
  data: string
  id: string
}

export interface ErrorDetail {
  /** Whether this is the end; otherwise the stream is reconnecting. */
  fatal: boolean
  /** The server's word for it, or "interrupted", "refused", "too_large". */
  error: string
  message: string
  /** Of the response, where there was one. */
  status?: number
}

/** Events that did not come: between two ids (`before`), or, of a log, with its text in their place. */
export interface GapDetail {
  after: string
  before?: string
  /** The position up to which `content` is the text. */
  through?: string
  /** The log's text: in the place of what is there ("reset"), or behind it ("continue"). */
  content?: string
  mode?: "reset" | "continue"
  /** Entries that are no text; those that are listened for are dispatched as messages, too. */
  events?: { id: string; event: string; data: string }[]
  id?: string
}

/** What a log is at: "queued", "running", "recovering", or a word of the application's. */
export interface StateDetail {
  phase: string
  id: string
  [name: string]: unknown
}

export interface StreamerEventMap {
  "streamer:open": CustomEvent<Record<string, never>>
  "streamer:message": CustomEvent<MessageDetail>
  "streamer:gap": CustomEvent<GapDetail>
  /** What came before is void: the stream begins again. `log`: the place of the one that does, where the stream is of several. */
  "streamer:reset": CustomEvent<{ log?: number }>
  "streamer:state": CustomEvent<StateDetail>
  /** Empty where the server ended it with the status 204. Of a log the type may be "failed", "cancelled" or "timed_out", too. */
  "streamer:done": CustomEvent<Partial<MessageDetail>>
  "streamer:error": CustomEvent<ErrorDetail>
}

/** One event stream and its reconnections. */
export class EventStream extends EventTarget {
  constructor(url: string | URL, options?: EventStreamOptions)
  readonly state: State
  /** Whether it is connected or will be. */
  readonly live: boolean
  /** The id of the last event; an empty string without one. */
  readonly cursor: string
  /** Connects; from the cursor, where it had been connected. */
  open(): void
  /** Ends it, as the reader's own wish. */
  stop(): void
  /** Ends it without a word, as when its element leaves the page. */
  close(): void
  addEventListener<Name extends keyof StreamerEventMap>(
    type: Name, listener: (event: StreamerEventMap[Name]) => void, options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
}

declare global {
  interface HTMLElementEventMap extends StreamerEventMap {}
}
