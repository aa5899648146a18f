/** For `@perdure/transactions`: what a transaction in a step has to know of the step, and the form in which results are stored. */
import { currentContext, type StepContext } from "./context.ts";
import { stepReferenceOf } from "./define/registry.ts";
import { ContextError } from "./errors/index.ts";

export { decode, encode } from "./serialization/index.ts";
export { beforeStepFailure, type FailedStep, type FailureFence } from "./step-failures.ts";

/** The name of a step function; `undefined` for what is none. */
export function stepNameOf(fn: unknown): string | undefined {
  return stepReferenceOf(fn)?.id;
}

/** The attempt of a step that is calling. */
export interface CallingAttempt {
  readonly runId: string;
  readonly stepName: string;
  readonly stepId: string;
  readonly attempt: number;
  /** It goes on although its result no longer counts. */
  readonly isOver: () => boolean;
  /** The same object for every call of one attempt. */
  readonly identity: object;
}

/**
 * The attempt of a step that is calling.
 *
 * @throws {ContextError} that names `what`, outside a step
 */
export function callingAttempt(what: string): CallingAttempt {
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError(what, "a step");
  return attemptOf(context);
}

function attemptOf(context: StepContext): CallingAttempt {
  const { stepName, stepId, attempt } = context.step;
  const runId = context.workflow.workflowRunId;
  return { runId, stepName, stepId, attempt, isOver: context.isOver, identity: context };
}
