import { currentContext, type StepContext } from "../../context.ts";
import { contexts } from "../../contexts.ts";
import { isAtMostOnce } from "../../define/retry-policy.ts";
import { stubs } from "../../define/stubs.ts";
import { ContextError, FatalError, RetryableError, StepOutcomeUnknownError } from "../../errors/index.ts";
import { aroundStep, type StepCall, wrapsSteps } from "../../interceptors/index.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import { StepKeys } from "../../outbound/step-keys.ts";
import { stepFacts } from "./step-outcome.ts";

/** What one attempt calls, in the step's context: the body of the step, or first what an at-most-once step has to ask the other side. */

/** Whether the other side has to be asked before the body is called: the body may have had its effect. */
export function mustAsk({ attempt, failedBefore, definition: { id, options } }: PendingStep): boolean {
  return (attempt > 1 || failedBefore) && isAtMostOnce(id, options) && options.reconcile !== undefined;
}

/** Calls the body, with what the interceptors put around it. */
export function callBody(step: PendingStep, args: unknown[]): unknown {
  const { id, fn } = step.definition;
  const body = stubs.get(id) ?? fn;
  if (!wrapsSteps()) return body.apply(step.thisArg, args);
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError("The body of a step", "a step");
  const called = async (): Promise<unknown> => await body.apply(step.thisArg, args);
  return aroundStep(stepCall(step, context), called, context.store.logger);
}

/** What the interceptors know of the attempt. */
function stepCall({ id: stepId, attempt }: PendingStep, { workflow, step, headers }: StepContext): StepCall {
  const { workflowRunId: runId, workflowName } = workflow;
  return { runId, workflowName, stepName: step.stepName, stepId, attempt, headers };
}

/** What the other side knows of the step's effect; `undefined`: nothing. */
export async function ask(step: PendingStep, args: unknown[]): Promise<unknown> {
  const { reconcile } = step.definition.options;
  const facts = stepFacts(step);
  try {
    const context = currentContext();
    const asks = async (): Promise<unknown> => await reconcile?.(step.id, args);
    if (context?.kind !== "step") return await asks();
    // With keys of its own: the body's must be those of the attempt before.
    return await contexts.run(context.withKeys(new StepKeys(`${step.id}-ask`)), asks);
  } catch (error) {
    if (FatalError.is(error) || RetryableError.is(error)) throw error;
    throw new StepOutcomeUnknownError(facts, error);
  }
}
