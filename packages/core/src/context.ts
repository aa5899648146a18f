import { ContextError } from "./errors/index.ts";
import type { Execution } from "./interpreter/execution.ts";
import { sharedState } from "./shared-state.ts";

/** Who is calling: a workflow function, a step body, or ordinary code. Travels in an `AsyncLocalStorage`. */

/** Inside a workflow function: requests go to its execution. */
export interface WorkflowContext {
  readonly kind: "workflow";
  readonly execution: Execution;
}

/** Inside one attempt of a step. */
export interface StepContext {
  readonly kind: "step";
  readonly step: StepMetadata;
  readonly workflow: WorkflowMetadata;
  /** The body waits for `ended`, the end of a run: others may use its slot meanwhile. */
  duringRun<T>(runId: string, ended: Promise<T>): Promise<T>;
}

export type Context = WorkflowContext | StepContext;

/** What a step may know of itself. */
export interface StepMetadata {
  /** The step function's id, such as `step//./src/charge//createCharge`. */
  readonly stepName: string;
  /** The same for every retry and replay of this step, and unique over all runs: the idempotency key. At most 64 characters of `[A-Za-z0-9_-]`. */
  readonly stepId: string;
  /** 1 for the first execution. */
  readonly attempt: number;
  /** When this attempt began. */
  readonly stepStartedAt: Date;
  /**
   * Aborted when the run is cancelled, the attempt times out, or the worker gives the run up. Pass it to whatever the step
   * waits for: a step that goes on when its attempt is over is in the way of its own next attempt.
   */
  readonly signal: AbortSignal;
}

/** What a workflow, and each of its steps, may know of the run. */
export interface WorkflowMetadata {
  /** The workflow's id, such as `workflow//./src/charge//chargeCustomer`. */
  readonly workflowName: string;
  readonly workflowRunId: string;
  readonly workflowStartedAt: Date;
}

/** The calling context, or `undefined` in ordinary code. */
export function currentContext(): Context | undefined {
  return sharedState().contexts.getStore();
}

/** The execution that the caller belongs to; throws a `ContextError` naming `what` outside a workflow. */
export function currentExecution(what: string): Execution {
  const context = currentContext();
  if (context?.kind === "workflow") return context.execution;
  throw new ContextError(what, "a workflow");
}
