import type { NameClaim } from "./name.ts";

/** The journal: what happened to a run, in order. A World stores events as they come and never looks at their types. */

/** An event before its place in the journal is known. */
export interface NewEvent {
  /** What happened; any string of at most 64 characters. Its meaning is the core's: see `interpreter/kinds`. */
  readonly type: string;
  /** Milliseconds since the epoch, by the clock of the worker that wrote it. */
  readonly at: number;
  /** The step, wait or hook that the event is about; `null` for events of the run itself. */
  readonly id: string | null;
  /** A second string that belongs to the event, such as the step function's id; or `null`. */
  readonly name: string | null;
  /** The value that belongs to the event, encoded by the core. Opaque to a World. `null` when there is none. */
  readonly data: Uint8Array | null;
}

/** An event of a commit, with what the World must do about names in the same act. */
export interface CommitEvent extends NewEvent {
  /** Takes the name for this run. If it is held, the event is written as `refusedAs`. */
  readonly claim?: Claiming;
  /** Frees the name that the run has under this id, if any. */
  readonly release?: string;
}

/** A claim of a commit's event. */
export interface Claiming extends NameClaim {
  /** The type under which the event is written where the name is held; another than its own. Its `data` is then the UTF-8 bytes of the holder's run id. */
  readonly refusedAs: string;
}

/** One journal row. `(runId, seq)` is its primary key. */
export interface JournalEvent extends NewEvent {
  /** Position in the run's journal: 1, 2, 3 … without gaps. */
  readonly seq: number;
}
