import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { LeaseRenewal } from "../leases/lease-renewal.ts";
import type { LiveRun } from "../run/live-run.ts";
import type { Attempt } from "./attempt.ts";
import type { DetachedBodies } from "./detached-bodies.ts";
import { OwningRun } from "./owning-run.ts";
import type { Slots } from "./slots.ts";
import { StepRunner, type StepRunnerOptions } from "./step-runner.ts";

/** Starting the steps of held runs. No body begins under a lease that may have run out. */

export interface StepDispatcherOptions extends StepRunnerOptions {
  readonly renewal: LeaseRenewal;
  /** An attempt has ended: the run has something to deliver. */
  readonly onEnded: (run: LiveRun) => void;
}

export class StepDispatcher {
  readonly #options: StepDispatcherOptions;
  readonly #runner: StepRunner;

  constructor(options: StepDispatcherOptions) {
    this.#options = options;
    this.#runner = new StepRunner(options);
  }

  /** The slots of this worker. */
  get slots(): Slots {
    return this.#runner.slots;
  }

  /** Bodies that go on when their attempt is over. */
  get detached(): DetachedBodies {
    return this.#runner.detached;
  }

  /** Starts the next attempt of a step whose `step_created`, or last `step_retrying`, is durable. */
  start(run: LiveRun, step: PendingStep): void {
    const { attempts } = run.steps;
    if (!run.lease.held || run.turn.over) return;
    if (run.execution.pending.get(step.id) !== step || attempts.has(step.id)) return;
    const { clock, logger, onEnded } = this.#options;
    run.steps.owner ??= new OwningRun(run, {
      clock,
      logger,
      onPostponed: (attempt) => this.#postponed(run, attempt),
      onEnded: () => onEnded(run),
    });
    const { owner } = run.steps;
    if (owner.mayBegin()) this.#runner.start(step, owner, attempts);
    else this.#postpone(run, step);
  }

  /** Gives up attempts of a run because this worker closes. */
  giveUp(run: LiveRun, which: "queued" | "all"): void {
    run.giveUpAttempts(which, new Error("The worker is shutting down."));
  }

  #postponed(run: LiveRun, attempt: Attempt): void {
    const { attempts } = run.steps;
    if (attempts.get(attempt.step.id) !== attempt) return;
    attempts.delete(attempt.step.id);
    this.#postpone(run, attempt.step);
  }

  /** The lease may have run out while this process was held up: the store says whether it is still ours. */
  #postpone(run: LiveRun, step: PendingStep): void {
    run.steps.postpone(step);
    // A failed renewal is repeated with the next of all leases.
    this.#options.renewal.confirm(run);
  }
}
