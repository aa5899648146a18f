import type { Clock } from "../clock.ts";
import type { PendingStep } from "../interpreter/pending.ts";
import type { LeaseRenewal } from "./lease-renewal.ts";
import type { LiveRun } from "./live-run.ts";
import { interruptedError } from "./step-outcome.ts";
import { StepRunner } from "./step-runner.ts";

/** Starting the steps of held runs. No body begins under a lease that may have run out. */

export interface StepDispatcherOptions {
  readonly clock: Clock;
  readonly concurrency: number;
  readonly renewal: LeaseRenewal;
  /** An attempt has ended: the run has something to deliver. */
  readonly onEnded: (run: LiveRun) => void;
}

export class StepDispatcher {
  readonly #options: StepDispatcherOptions;
  readonly #runner: StepRunner;

  constructor(options: StepDispatcherOptions) {
    this.#options = options;
    this.#runner = new StepRunner(options.clock, options.concurrency);
  }

  /** Attempts that wait for a place. */
  get queued(): number {
    return this.#runner.queued;
  }

  /** Starts the next attempt of a step whose `step_created`, or last `step_retrying`, is durable. */
  start(run: LiveRun, step: PendingStep): void {
    if (run.phase !== "held" || run.over) return;
    if (run.execution.pending.get(step.id) !== step || run.attempts.has(step.id)) return;
    const holdsLease = (): boolean => this.#options.clock.elapsed() < run.leaseUntil;
    if (!holdsLease()) {
      this.#postpone(run, step);
      return;
    }
    const attempt = this.#runner.start(step, run.execution, {
      mayBegin: holdsLease,
      onPostponed: () => {
        if (run.attempts.get(step.id) !== attempt) return;
        run.attempts.delete(step.id);
        this.#postpone(run, step);
      },
      onEnd: (result) => {
        if (run.attempts.get(step.id) === attempt) run.attempts.delete(step.id);
        run.receive({ type: "attempt_ended", attempt, result });
        this.#options.onEnded(run);
      },
    });
    run.attempts.set(step.id, attempt);
  }

  /** Gives up attempts of a run because this worker closes. */
  giveUp(run: LiveRun, which: "queued" | "all"): void {
    run.giveUpAttempts(which, interruptedError, new Error("The worker is shutting down."));
  }

  /** The lease may have run out while this process was held up: the store says whether it is still ours. */
  #postpone(run: LiveRun, step: PendingStep): void {
    run.postpone(step);
    if (run.renewing) return;
    run.renewing = true;
    // A failed renewal is repeated with the next of all leases.
    void this.#options.renewal
      .renew((other) => other === run)
      .finally(() => {
        run.renewing = false;
      });
  }
}
