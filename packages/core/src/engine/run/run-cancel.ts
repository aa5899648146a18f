import { WorkflowRunCancelledError } from "../../errors/index.ts";
import type { Execution } from "../../interpreter/execution.ts";
import { type Cancel, type CancelRecord, cancelOf } from "../../interpreter/kinds/cancel.ts";
import { isStep, type PendingStep } from "../../interpreter/kinds/step.ts";
import { encodeError } from "../../serialization/index.ts";
import type { Attempt, FailedAttempt } from "../steps/attempt.ts";
import type { Verdict } from "../steps/step-outcome.ts";
import type { RunSteps } from "./run-steps.ts";

/** What a cancel does to the steps of a run: those that have begun may end, for a time. See docs/cancellation.md. */

/** So long, in milliseconds, steps that have begun may take to end when their run is cancelled. */
const CANCEL_GRACE = 10_000;

export class RunCancel {
  readonly #execution: Execution;
  readonly #steps: RunSteps;
  /** What the code knows of it. */
  readonly #known: Cancel;
  /** The time is over. */
  #gaveUp = false;

  constructor(execution: Execution, steps: RunSteps) {
    this.#execution = execution;
    this.#steps = steps;
    this.#known = cancelOf(execution);
  }

  /** The run is being cancelled. */
  get begun(): boolean {
    return this.#known.record !== null;
  }

  /** When the steps that may end are given up, or `null`. */
  get until(): number | null {
    const { record, finishing } = this.#known;
    return record === null || finishing.size === 0 || this.#gaveUp ? null : record.until;
  }

  /** Interrupts the attempts that are under way; gives what the journal says of it. */
  begin(reason: string | undefined, now: number): CancelRecord {
    const { runId, pending } = this.#execution;
    const { attempts } = this.#steps;
    const until = now + CANCEL_GRACE;
    const finishing = new Set<string>();
    for (const entry of pending.values()) {
      if (!isStep(entry) || entry.shielded) continue;
      const inTime = entry.attempt > 1 && (entry.dueAt ?? now) < until;
      if (inTime || attempts.get(entry.id)?.started === true) finishing.add(entry.id);
    }
    const error = new WorkflowRunCancelledError(runId, reason);
    for (const [id, attempt] of attempts) {
      if (pending.get(id)?.shielded === true) continue;
      if (finishing.has(id)) attempt.interrupt(error);
      else this.#steps.abort(attempt, error);
    }
    this.#steps.startOnly(({ id, shielded }) => shielded || finishing.has(id));
    return { reason, finishing: [...finishing], until };
  }

  /** The time of the steps that may end is over; gives them. */
  giveUp(): readonly PendingStep[] {
    this.#gaveUp = true;
    const { finishing, error } = this.#known;
    this.#steps.startOnly(({ id }) => !finishing.has(id));
    for (const id of finishing) {
      const attempt = this.#steps.attempts.get(id);
      if (attempt !== undefined) this.#steps.abort(attempt, error());
    }
    return [...finishing].map((id) => this.#execution.pending.get(id)).filter(isStep);
  }

  /** What follows when an attempt did not succeed: during a cancel the step fails with that, unless it may be tried in time. */
  judge({ step, heardAbort }: Attempt, { error, reason }: FailedAttempt, verdict: Verdict): Verdict {
    const { record, finishing } = this.#known;
    if (record === null || !finishing.has(step.id)) return verdict;
    const late = verdict.type === "fail" || verdict.record.retryAt >= record.until;
    const obeyed = heardAbort && reason === "error";
    if (!late && !obeyed && !this.#gaveUp) return verdict;
    return { type: "fail", error: encodeError(this.error(error)) };
  }

  /** The cancellation as the code gets it. */
  error(cause?: unknown): WorkflowRunCancelledError {
    const { runId } = this.#execution;
    if (WorkflowRunCancelledError.is(cause) && cause.runId === runId) return cause;
    const error = this.#known.error();
    if (cause !== undefined) error.cause = cause;
    return error;
  }
}
