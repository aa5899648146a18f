import { FatalError } from "../../errors/index.ts";
import { attributesOf } from "../../interpreter/kinds/attributes.ts";
import { headersOf } from "../../interpreter/kinds/headers.ts";
import { signalsOf } from "../../interpreter/kinds/signal.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import { workflowMetadata } from "../../interpreter/workflow-metadata.ts";
import type { LeaseRenewal } from "../leases/lease-renewal.ts";
import type { LiveRun } from "../run/live-run.ts";
import type { Attempt } from "./attempt.ts";
import type { StepOwner } from "./attempt-host.ts";
import type { DetachedBodies } from "./detached-bodies.ts";
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
    const holdsLease = (): boolean => this.#options.clock.elapsed() < run.lease.until;
    if (!holdsLease()) {
      this.#postpone(run, step);
      return;
    }
    const attempt: Attempt = this.#runner.start(step, ownerOf(run), {
      mayBegin: holdsLease,
      onPostponed: () => {
        if (attempts.get(step.id) !== attempt) return;
        attempts.delete(step.id);
        this.#postpone(run, step);
      },
      onEnd: (result) => {
        if (attempts.get(step.id) === attempt) attempts.delete(step.id);
        if (run.lease.ended) return;
        // A step that was asked to stop, and did, has nothing to report.
        if (result.type === "failed" && !attempt.heardAbort && !isAbort(result.error))
          this.#report(run, attempt, result.error);
        run.turn.receive({ type: "attempt_ended", attempt, result });
        this.#options.onEnded(run);
      },
    });
    attempts.set(step.id, attempt);
  }

  /** Gives up attempts of a run because this worker closes. */
  giveUp(run: LiveRun, which: "queued" | "all"): void {
    run.giveUpAttempts(which, new Error("The worker is shutting down."));
  }

  #report({ runId, workflow }: LiveRun, { step, attempt }: Attempt, error: unknown): void {
    this.#options.logger.warn(
      "an attempt of a step failed: it is tried again as the step's retry options say, and after the last one the workflow gets " +
        "the error",
      { runId, workflow, step: step.definition.id, stepId: step.id, attempt, cause: causeOf(error), error },
    );
  }

  /** The lease may have run out while this process was held up: the store says whether it is still ours. */
  #postpone(run: LiveRun, step: PendingStep): void {
    run.steps.postpone(step);
    // A failed renewal is repeated with the next of all leases.
    this.#options.renewal.confirm(run);
  }
}

/** The body ended as it was asked to. */
function isAbort(error: unknown): boolean {
  return FatalError.is(error) && error.name === "AbortError";
}

/** What the cause of an error says, if it has one: `fetch` and others say nothing else of what happened. */
function causeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return undefined;
  const { message, code } = error.cause as NodeJS.ErrnoException;
  return message === "" ? code : message;
}

function ownerOf({ execution }: LiveRun): StepOwner {
  const attributes = attributesOf(execution);
  return {
    runId: execution.runId,
    workflow: execution.workflow,
    metadata: () => workflowMetadata(execution, attributes),
    signals: signalsOf(execution),
    largestValue: execution.largestValue,
    headers: headersOf(execution),
  };
}
