import type { NewEvent } from "./event.ts";
import type { Attributes, RunRecord } from "./run.ts";
import type { Lease } from "./schedule.ts";

/** Starting runs: what {@link World.createRuns} takes and gives. */

/** Binds a start to a key, so that only one run comes of all the starts that carry it. */
export interface StartKey {
  /** Unique per workflow. Any string up to 255 characters, NUL and emoji included. */
  readonly key: string;
  /** Digest of workflow and arguments: another fingerprint under a held key is a mismatch. */
  readonly fingerprint: string;
  /**
   * From this time on the key is free again, provided that its run is terminal. `null`: as long as the run is
   * stored. A run that is not terminal holds its key beyond this time.
   */
  readonly expiresAt: number | null;
}

/** One run to create. */
export interface CreateRun {
  readonly runId: string;
  readonly workflow: string;
  /** From which workers claim it. */
  readonly queue: string;
  readonly attributes: Attributes;
  readonly state: Uint8Array | null;
  /** The `run_created` event; becomes seq 1. Its `at` is the run's `createdAt`. */
  readonly event: NewEvent;
  /** When the run is first due. Ignored when a lease is taken. */
  readonly dueAt: number;
  readonly startKey: StartKey | null;
  /** Takes the first lease (epoch 1) in the same atomic act. */
  readonly lease: { readonly owner: string; readonly claimId: string; readonly ttl: number } | null;
}

/** What became of one {@link CreateRun}. */
export type CreateRunResult =
  /** The run exists as asked, made now or by an earlier sending of the same request. */
  | { readonly outcome: "created"; readonly lease: Lease | null }
  /** Another run holds the key with the same fingerprint. */
  | { readonly outcome: "exists"; readonly run: RunRecord }
  /** Another run holds the key with another fingerprint. Nothing was written. */
  | { readonly outcome: "mismatch"; readonly run: RunRecord };
