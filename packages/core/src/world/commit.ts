import type { CommitEvent } from "./event.ts";
import { type Attributes, isTerminal, type RunStatus } from "./run.ts";

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
  readonly state?: Uint8Array | null;
  /** All attributes that the run has from now on. */
  readonly attributes?: Attributes;
  /** The queue in which the run is from now on. */
  readonly queue?: string;
  /** End mail up to this number is consumed. Never less than the row's. */
  readonly endDone?: number;
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
   * Give it back; the run is next due at `dueAt`: a time by the store's clock where it has one, which the worker's follows, so
   * it is stored as it is. If there is a message beyond the commit's `mailDone` or, in a run that is
   * terminal now, end mail beyond `endDone`, the run is due at once instead.
   */
  | { readonly type: "park"; readonly dueAt: number | null };

/** The next stretch of one run's journal, with everything that must be true at the same moment. */
export interface RunCommit {
  readonly runId: string;
  /** The lease under which the caller writes. */
  readonly epoch: number;
  readonly claimId: string;
  /** Length of the journal before these events. */
  readonly seq: number;
  /**
   * The journal begins anew with these events: they are the first of the next generation. What came before is never given to
   * anybody again. It is deleted, now or a little later: however many generations there were, the store keeps about as much
   * as of one. So are the messages consumed before, seven days after they were sent. Numbers, lease, mailbox and names go on.
   * Default false.
   */
  readonly restart?: boolean;
  /** What is appended to the journal, in its order; may be empty, but not with `restart`. */
  readonly events: readonly CommitEvent[];
  /** Messages up to this number are consumed. Never less than the row's. */
  readonly mailDone: number;
  readonly run: RunPatch;
  readonly lease: LeaseChange;
}

/** Whether the run ends with this commit. */
export function endsRun({ run: { status } }: Pick<RunCommit, "run">): boolean {
  return status !== undefined && isTerminal(status);
}

/** A name that was asked for and is held. */
export interface NameConflict {
  /** The `id` of the claim. */
  readonly id: string;
  /** The run that has the name. */
  readonly runId: string;
}

/** What became of one {@link RunCommit}. Everything but `committed` wrote nothing. */
export type CommitResult =
  | {
      readonly outcome: "committed";
      /** The run's last message: greater than the commit's `mailDone` when there is mail to read. */
      readonly mailSeq: number;
      /** The same of its end mail. */
      readonly endSeq: number;
      /** The commit's claims that were refused, in their order. */
      readonly conflicts: readonly NameConflict[];
    }
  /** The lease is another's, or was released. */
  | { readonly outcome: "fenced" }
  /** The run is terminal and this is not the commit that ends its work, or it was deleted. */
  | { readonly outcome: "finished" }
  /** The lease is the caller's but the journal is not `seq` long: a bug of the caller, or a damaged store. */
  | { readonly outcome: "out_of_step"; readonly seq: number };
