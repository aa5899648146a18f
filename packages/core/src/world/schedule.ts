import type { JournalEvent } from "./event.ts";
import type { Mail } from "./mailbox.ts";
import type { RunRecord } from "./run.ts";

/** Who may execute a run, and for how long: claims and leases. */

/**
 * The right to execute a run: an epoch *and* a claim id. The epoch orders the owners. The claim id tells two owners of one
 * epoch apart, which there are when a store has lost an acknowledged claim in a fail-over and given the epoch again.
 */
export interface Lease {
  readonly runId: string;
  readonly epoch: number;
  readonly claimId: string;
}

/** What the caller has of a run in memory: everything up to `seq`, last held under `claimId`. */
export interface CachedRun {
  readonly claimId: string;
  readonly seq: number;
}

/** What {@link World.claim} takes. */
export interface ClaimRequest {
  /** Only runs of these queues are claimed, in the order of the caller's preference: those of the first queue first. */
  readonly queues: readonly string[];
  /** Only these runs are claimed, from whatever queues, and `queues` says nothing. One that is not due is not taken. */
  readonly runIds?: readonly string[];
  /** At most so many runs. */
  readonly limit: number;
  /**
   * Takes no further run once those taken have more than so many bytes of journal together ({@link RunRecord.bytes}); always
   * takes one that is due.
   */
  readonly byteLimit: number;
  /** The worker's id. */
  readonly owner: string;
  /** Random and new for every claim, at most 64 characters; one for all the runs that it takes. */
  readonly claimId: string;
  /** Lease length in milliseconds. */
  readonly ttl: number;
  /** The caller's time, in milliseconds since the epoch; a World with a clock of its own goes by that one. */
  readonly now: number;
  /**
   * Runs whose coroutine the caller still has in memory. Where the row had this claim id and this `seq` until now, nobody
   * wrote in between: the run comes without events.
   */
  readonly cached: ReadonlyMap<string, CachedRun>;
  /** At most so many events come with each run; the caller pages on with {@link World.listEvents}. */
  readonly eventLimit: number;
}

/** A run that the caller now owns. */
export interface ClaimedRun {
  /** The row after the claim: `epoch` is the new lease's. */
  readonly run: RunRecord;
  /** The lease before this one ran out while somebody held it, so steps may have been interrupted. */
  readonly lost: boolean;
  /** The claim id that the row had before this claim; `null` if this is the first. */
  readonly lastClaimId: string | null;
  /** The journal from the row's `firstSeq`, or nothing where the caller has it. */
  readonly events: readonly JournalEvent[];
  /** Every message with `mailSeq` greater than the row's `mailDone`, in order; no end mail. */
  readonly mail: readonly Mail[];
  /**
   * Why journal or mailbox cannot be read: a damaged page, a key of another type, something that is missing. `events` and
   * `mail` are empty then, and the other runs of the claim are given as ever. `null` for all but damaged runs.
   */
  readonly damage: Error | null;
}

/** What {@link World.claim} gives. */
export interface ClaimResult {
  /** The runs that the caller now owns, the longest due first. */
  readonly runs: readonly ClaimedRun[];
  /**
   * The earliest `dueAt` of a run of all these queues (or of these run ids) that this claim did not take, or `null`. May be
   * in the past when `limit` was reached.
   */
  readonly nextDueAt: number | null;
  /** The time by which the World judged what is due: by the store's clock where it has one. Callers correct theirs by it. */
  readonly now: number;
}

/** What {@link World.renew} takes. */
export interface RenewRequest {
  /** The leases to extend. */
  readonly leases: readonly Lease[];
  /** New length in milliseconds, from `now`. */
  readonly ttl: number;
  /** As in {@link ClaimRequest}. */
  readonly now: number;
}

/** One per lease, in their order. `lost`: the run is held under another epoch or claim id, or by nobody. */
export type RenewResult =
  | { readonly outcome: "renewed"; readonly mailSeq: number }
  | { readonly outcome: "lost" };
