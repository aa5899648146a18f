import type { JournalEvent } from "./event.ts";
import type { Mail } from "./mailbox.ts";
import type { RunRecord } from "./run.ts";

/** Who may execute a run, and for how long: claims and leases. */

/** The right to execute a run, held under one epoch. */
export interface Lease {
  readonly runId: string;
  readonly epoch: number;
}

/** What {@link World.claim} takes. */
export interface ClaimRequest {
  /** Only runs of these workflows are claimed. */
  readonly workflows: readonly string[];
  /** At most so many runs. */
  readonly limit: number;
  /** The worker's id. */
  readonly owner: string;
  /** Lease length in milliseconds. */
  readonly ttl: number;
  readonly now: number;
  /**
   * Runs whose coroutine the caller still has in memory, with the epoch under which it last held them. Where that
   * is the epoch just before this claim, nobody wrote in between and `events` is left empty.
   */
  readonly cached: ReadonlyMap<string, number>;
  /** At most so many events come with each run; the caller pages on with {@link World.listEvents}. */
  readonly eventLimit: number;
}

/** A run that the caller now owns. */
export interface ClaimedRun {
  /** The row after the claim: `epoch` is the new lease's. */
  readonly run: RunRecord;
  /** The lease before this one ran out while somebody held it, so steps may have been interrupted. */
  readonly lost: boolean;
  /** The journal from seq 1, or nothing where the caller has it. */
  readonly events: readonly JournalEvent[];
  /** Every message with `mailSeq` greater than the row's `mailDone`, in order. */
  readonly mail: readonly Mail[];
}

export interface ClaimResult {
  readonly runs: readonly ClaimedRun[];
  /**
   * The earliest `dueAt` of a run of these workflows that this claim did not take, or `null`. May be in the past when
   * `limit` was reached.
   */
  readonly nextDueAt: number | null;
  /** The time by which the World judged what is due. */
  readonly now: number;
}

export interface RenewRequest {
  readonly leases: readonly Lease[];
  /** New length in milliseconds, from `now`. */
  readonly ttl: number;
  readonly now: number;
}

/** One per lease, in their order. `lost`: the epoch has moved on, or the lease was released. */
export type RenewResult =
  | { readonly outcome: "renewed"; readonly mailSeq: number }
  | { readonly outcome: "lost" };
