import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { LiveRun } from "../run/live-run.ts";
import type { DetachedBodies } from "./detached-bodies.ts";
import { OwningRun, type OwningRunOptions } from "./owning-run.ts";
import type { Slots } from "./slots.ts";
import { StepRunner, type StepRunnerOptions } from "./step-runner.ts";

/** Starting the steps of held runs, and giving them up. */

export interface StepDispatcherOptions extends StepRunnerOptions, OwningRunOptions {}

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
    const { steps } = run;
    if (steps.attempts.has(step.id)) return;
    steps.owner ??= new OwningRun(run, this.#options);
    if (steps.owner.mayBegin(step)) this.#runner.start(step, steps.owner, steps.attempts);
    else steps.owner.postpone(step);
  }

  /** Gives up attempts of a run because this worker closes. */
  giveUp(run: LiveRun, which: "queued" | "all"): void {
    run.giveUpAttempts(which, new Error("The worker is shutting down."));
  }
}
