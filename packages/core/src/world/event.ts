/**
 * The journal: what happened to a run, in order. A World stores events as they come and reads only the four
 * types named in {@link HookEventType} and the terminal ones.
 */

/** Every event name, those of the Workflow SDK's event log where it has the concept. */
export type EventType =
  | "run_created"
  | "run_started"
  | "step_created"
  | "step_retrying"
  | "step_completed"
  | "step_failed"
  | "wait_created"
  | "wait_completed"
  | "hook_created"
  | "hook_conflict"
  | "hook_received"
  | "hook_disposed"
  | "run_cancel_requested"
  | "run_completed"
  | "run_failed"
  | "run_cancelled";

/** An event before its place in the journal is known. */
export interface NewEvent {
  /** What happened. */
  readonly type: EventType;
  /** Milliseconds since the epoch, by the clock of the worker that wrote it. */
  readonly at: number;
  /** The step, wait or hook that the event is about; `null` for events of the run itself. */
  readonly id: string | null;
  /** `step_created`: the step function's id. `hook_created`: the token. Else `null`. */
  readonly name: string | null;
  /** The value that belongs to the event, encoded by the core. Opaque to a World. `null` when there is none. */
  readonly data: Uint8Array | null;
}

/** One journal row. `(runId, seq)` is its primary key. */
export interface JournalEvent extends NewEvent {
  /** Position in the run's journal: 1, 2, 3 … without gaps. */
  readonly seq: number;
}

/** The events by which a commit claims and releases hook tokens; see {@link World.commit}. */
export type HookEventType = "hook_created" | "hook_conflict" | "hook_disposed";
