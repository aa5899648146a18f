import type { Clock } from "../../clock.ts";
import { FatalError } from "../../errors/index.ts";
import { attributesOf } from "../../interpreter/kinds/attributes.ts";
import { headersOf } from "../../interpreter/kinds/headers.ts";
import { signalsOf } from "../../interpreter/kinds/signal.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import { workflowMetadata } from "../../interpreter/workflow-metadata.ts";
import type { Logger } from "../../logger.ts";
import type { WorkflowMetadata } from "../../metadata.ts";
import type { Attributes } from "../../world/index.ts";
import type { LeaseRenewal } from "../leases/lease-renewal.ts";
import type { LiveRun } from "../run/live-run.ts";
import type { Attempt, AttemptResult } from "./attempt.ts";
import type { StepOwner } from "./attempt-host.ts";

export interface OwningRunOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly renewal: Pick<LeaseRenewal, "confirm">;
  /** An attempt has ended: the run has something to deliver. */
  readonly onEnded: (run: LiveRun) => void;
}

/** A run, as its attempts see it. */
export class OwningRun implements StepOwner {
  readonly runId: string;
  readonly workflow: string;
  readonly largestValue: number;
  readonly headers: StepOwner["headers"];
  readonly #run: LiveRun;
  readonly #options: OwningRunOptions;

  constructor(run: LiveRun, options: OwningRunOptions) {
    const { execution } = run;
    this.runId = execution.runId;
    this.workflow = execution.workflow;
    this.largestValue = execution.largestValue;
    this.headers = headersOf(execution);
    this.#run = run;
    this.#options = options;
  }

  get signals(): StepOwner["signals"] {
    return signalsOf(this.#run.execution);
  }

  get attributes(): Attributes {
    return attributesOf(this.#run.execution);
  }

  metadata(attributes: Attributes): WorkflowMetadata {
    return workflowMetadata(this.#run.execution, attributes);
  }

  mayBegin(step: PendingStep): boolean {
    return this.#awaits(step) && this.#options.clock.elapsed() < this.#run.lease.until;
  }

  postpone(step: PendingStep): void {
    const run = this.#run;
    run.steps.attempts.delete(step.id);
    if (!this.#awaits(step)) return;
    run.steps.postpone(step);
    // A failed renewal is repeated with the next of all leases.
    this.#options.renewal.confirm(run);
  }

  onEnd(attempt: Attempt, result: AttemptResult): void {
    const run = this.#run;
    const { attempts } = run.steps;
    if (attempts.get(attempt.step.id) === attempt) attempts.delete(attempt.step.id);
    if (run.lease.ended) return;
    // A step that was asked to stop, and did, has nothing to report.
    if (result.type === "failed" && !attempt.heardAbort && !isAbort(result.error))
      this.#report(attempt, result.error);
    run.turn.receive({ type: "attempt_ended", attempt, result });
    this.#options.onEnded(run);
  }

  /** The run is ours, its workflow has not ended, and waits for the step. */
  #awaits(step: PendingStep): boolean {
    const { lease, turn, execution } = this.#run;
    return lease.held && !turn.over && execution.pending.get(step.id) === step;
  }

  #report({ step, attempt }: Attempt, error: unknown): void {
    const { runId, workflow } = this;
    this.#options.logger.warn(
      "an attempt of a step failed: it is tried again as the step's retry options say, and after the last one the workflow gets " +
        "the error",
      { runId, workflow, step: step.definition.id, stepId: step.id, attempt, cause: causeOf(error), error },
    );
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
