import type { StepDefinition } from "../define/step.ts";
import type { Deferred } from "./deferred.ts";

/** What a workflow has asked for and not got yet. */

/** A step between its `step_created` and its `step_completed` or `step_failed`. */
export interface PendingStep {
  readonly kind: "step";
  readonly id: string;
  readonly definition: StepDefinition;
  readonly thisArg: unknown;
  /** Encoded; the journal's once the step is in it. */
  args: Uint8Array | null;
  /** Time of `step_created`; 0 until it is journalled. */
  createdAt: number;
  /** The attempt that is under way or comes next, from 1. */
  attempt: number;
  /** Attempts that threw or ran out of time. */
  failures: number;
  /** When the next attempt is due, after a `step_retrying`; else `null`. */
  retryAt: number | null;
  readonly result: Deferred<unknown>;
}

/** A sleep between its `wait_created` and its `wait_completed`. */
export interface PendingWait {
  readonly kind: "wait";
  readonly id: string;
  /** ms since the epoch; the journal's once the wait is in it. */
  resumeAt: number;
  readonly result: Deferred<undefined>;
}

export type Pending = PendingStep | PendingWait;

/** A request of the code that becomes an event of the journal. */
export interface Request {
  readonly type: "step_created" | "wait_created" | "hook_created" | "hook_disposed";
  readonly id: string;
  readonly name: string | null;
  readonly data: Uint8Array | null;
}

/** `data` of a `run_cancel_requested` event. */
export interface CancelRecord {
  readonly reason: string | undefined;
  /** Steps that have begun: they may end, until the time `until`. */
  readonly finishing: readonly string[];
  readonly until: number;
}

/** How the workflow function ended. */
export type Outcome =
  | { readonly type: "returned"; readonly value: unknown }
  | { readonly type: "threw"; readonly error: unknown };
