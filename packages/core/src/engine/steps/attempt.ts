import type { StepTimeoutError } from "../../errors/index.ts";
import type { PendingStep, RetryRecord } from "../../interpreter/kinds/step.ts";
import type { Known } from "../../interpreter/pending.ts";

/** Attempts of steps, as the parts of the engine see each other's. */

/** How one attempt ended. */
export type AttemptResult =
  | {
      readonly type: "completed";
      readonly value: Uint8Array | null;
      /** What the workflow gets: a copy, read back from `value`. */
      readonly known?: Known;
    }
  | FailedAttempt;

/** An attempt that did not succeed. */
export interface FailedAttempt {
  readonly type: "failed";
  readonly error: unknown;
  readonly reason: RetryRecord["reason"];
  /** Another attempt would meet the same. */
  readonly final?: boolean;
}

/** An attempt that took too long. */
export function timedOut(error: StepTimeoutError): FailedAttempt {
  return { type: "failed", error, reason: "timeout" };
}

/** Arguments or a result that cannot be stored: another attempt would meet the same. */
export function unstored(error: unknown): FailedAttempt {
  return { type: "failed", error, reason: "error", final: true };
}

/** An attempt whose worker is gone, or gives it up: its body may have begun, and nobody hears how it ends. */
export function lostAttempt(step: PendingStep): Attempt {
  return {
    step,
    attempt: step.attempt,
    started: true,
    startedAt: null,
    heardAbort: false,
    interrupt(): void {},
    abort(): void {},
  };
}

/** One attempt that is under way or queued. */
export interface Attempt {
  readonly step: PendingStep;
  readonly attempt: number;
  /** The body was called. */
  readonly started: boolean;
  /** When that was, if it is known. */
  readonly startedAt: number | null;
  /** The body's signal was aborted and the body may know: how it ends may be its answer to that. */
  readonly heardAbort: boolean;
  /** Aborts the body's signal; the attempt goes on, and its result counts. */
  interrupt(reason: unknown): void;
  /** Aborts the body's signal and ends the attempt; its result no longer counts. */
  abort(reason: unknown): void;
}
