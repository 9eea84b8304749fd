/** An entry of a log. */
export interface LogEntry {
  id: string
  event: string
  data: string
}

/** A range of a log, from behind `after` through `through`. */
export interface Passage {
  after?: string
  through: string
  /** "reset": it takes the place of all there was. */
  mode: "reset" | "continue"
  content?: string
  events?: LogEntry[]
  /** Shows it, where `content` and `events` do not say what it is. */
  show?(): void
}

/** What the log's action answers to `after`; or the status with which it refuses. */
export interface LogPage {
  entries: LogEntry[]
  head: { position: string; attempt: number; phase: string; state: string | null }
  next: string
  refused?: number
}

/** Where passages are shown. */
export interface PassagesPage {
  /** How far it has come in the log. */
  position: string
  /** Whether no text can be added to what it shows. */
  readonly rendered?: boolean
  add(text: string): void
  replace(text: string): void
  tell(entry: LogEntry, said: unknown): void
  close(entry: LogEntry): void
  fail(status: number): void
  load(after: string): Promise<LogPage>
  /** All of it as it is now, where it is rendered; nothing where it is not there any more. */
  reread?(): Promise<Passage | undefined>
}

/** Shows passages once and in order, and loads from the log what is missing. */
export class Passages {
  constructor(page: PassagesPage)
  take(passage: Passage): void
  /** Loads what the log has behind the position. */
  load(): Promise<void>
  stop(): void
}
