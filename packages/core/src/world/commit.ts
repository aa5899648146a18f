import type { NewEvent } from "./event.ts";
import type { RunStatus } from "./run.ts";

/** The write verb: what {@link World.commit} takes and gives. */

/** The columns of the run row that a commit may set. Absent means unchanged. */
export interface RunPatch {
  readonly status?: RunStatus;
  /** Milliseconds since the epoch, as are all times. */
  readonly startedAt?: number;
  readonly completedAt?: number;
  /** The encoded return value. */
  readonly output?: Uint8Array | null;
  /** The encoded error. */
  readonly error?: Uint8Array | null;
  /** The core sets it to 0 when the run has made progress: only it knows which events are progress. */
  readonly lostClaims?: number;
}

/** What becomes of the lease. */
export type LeaseChange =
  /**
   * Keep it: it now runs out `ttl` milliseconds from `now`. Never shortens it: a renewal that was sent after the commit may
   * have been quicker, and its sender relies on it.
   */
  | { readonly type: "hold"; readonly ttl: number }
  /**
   * Give it back; the run is next due at `dueAt`. If the mailbox holds a message beyond the commit's `mailDone`,
   * the run is due at once instead.
   */
  | { readonly type: "park"; readonly dueAt: number | null }
  /** The run is over: `run.status` is terminal. The lease ends and the run is never due again. */
  | { readonly type: "finish" };

/** The next stretch of one run's journal, with everything that must be true at the same moment. */
export interface RunCommit {
  readonly runId: string;
  /** The lease under which the caller writes. */
  readonly epoch: number;
  readonly claimId: string;
  /** Length of the journal before these events. */
  readonly seq: number;
  /** What is appended to the journal, in its order; may be empty. */
  readonly events: readonly NewEvent[];
  /** Messages up to this number are consumed. Never less than the row's. */
  readonly mailDone: number;
  readonly run: RunPatch;
  readonly lease: LeaseChange;
}

/** A hook token that was asked for and is taken. */
export interface HookConflict {
  readonly hookId: string;
  /** The run that owns the token. */
  readonly runId: string;
}

/** What became of one {@link RunCommit}. Everything but `committed` wrote nothing. */
export type CommitResult =
  | {
      readonly outcome: "committed";
      /** The run's last message: greater than the commit's `mailDone` when there is mail to read. */
      readonly mailSeq: number;
      /** The commit's `hook_created` events that were written as `hook_conflict`. */
      readonly conflicts: readonly HookConflict[];
    }
  /** The lease is another's, or was released. */
  | { readonly outcome: "fenced" }
  /** The run is terminal, or was deleted. */
  | { readonly outcome: "finished" }
  /** The lease is the caller's but the journal is not `seq` long: a bug of the caller, or a damaged store. */
  | { readonly outcome: "out_of_step"; readonly seq: number };
