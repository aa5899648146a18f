import type { NewEvent } from "./event.ts";
import type { FirstMail } from "./mailbox.ts";
import type { FirstClaim, HeldName } from "./name.ts";
import type { Attributes, RunRecord } from "./run.ts";
import type { Lease } from "./schedule.ts";

/** Starting runs: what {@link World.createRuns} takes and gives. */

/** One run to create. */
export interface CreateRun {
  readonly runId: string;
  readonly workflow: string;
  /** From which workers claim it. */
  readonly queue: string;
  readonly attributes: Attributes;
  readonly state: Uint8Array | null;
  /** The key given to `start`, for the row. */
  readonly idempotencyKey: string | null;
  /** How the journal begins: at least one event. The first one's `at` is the run's `createdAt`. */
  readonly events: readonly NewEvent[];
  /** What it claims: all of them, or there is no run. */
  readonly names: readonly FirstClaim[];
  /** How its mailbox begins. */
  readonly mail: readonly FirstMail[];
  /** When the run is first due. Ignored when a lease is taken. */
  readonly dueAt: number;
  /** Takes the first lease (epoch 1) in the same atomic act. */
  readonly lease: { readonly owner: string; readonly claimId: string; readonly ttl: number } | null;
}

/** What became of one {@link CreateRun}. */
export type CreateRunResult =
  /** The run exists as asked, made now or by an earlier sending of the same request. */
  | { readonly outcome: "created"; readonly lease: Lease | null }
  /** A name is another run's: the first one in the order of the request. Nothing was written. */
  | { readonly outcome: "held"; readonly name: HeldName; readonly run: RunRecord }
  /** All names are free, but one of the messages has been delivered to another run. Nothing was written. */
  | { readonly outcome: "mailed"; readonly messageId: string; readonly runId: string };
