import { currentContext } from "../../context.ts";
import { contexts } from "../../contexts.ts";
import { isAtMostOnce } from "../../define/retry-policy.ts";
import { stubs } from "../../define/stubs.ts";
import { ContextError, FatalError, RetryableError, StepOutcomeUnknownError } from "../../errors/index.ts";
import { aroundStep, type StepCall, wrapsSteps } from "../../interceptors/index.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import { StepKeys } from "../../outbound/step-keys.ts";
import { stepFacts } from "./step-outcome.ts";

/** What one attempt calls: the body of the step, or first what an at-most-once step has to ask the other side. */

/**
 * Calls it, in the step's context. `null`: the other side knows of nothing, and meanwhile the body may not begin any more.
 *
 * @param mayBegin whether the attempt still counts and its lease is held
 */
export async function callBody(
  step: PendingStep,
  args: unknown[],
  mayBegin: () => boolean,
): Promise<{ readonly value: unknown } | null> {
  const { id, options, fn } = step.definition;
  const mayHaveHappened = step.attempt > 1 || step.failedBefore;
  if (mayHaveHappened && isAtMostOnce(id, options) && options.reconcile !== undefined) {
    const value = await ask(step, options.reconcile, args);
    if (value !== undefined) return { value };
    if (!mayBegin()) return null;
  }
  const body = async (): Promise<unknown> => await (stubs.get(id) ?? fn).apply(step.thisArg, args);
  return { value: await (wrapsSteps() ? aroundStep(stepCall(step), body) : body()) };
}

/** What the interceptors know of the attempt. */
function stepCall({ id: stepId, attempt, definition }: PendingStep): StepCall {
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError("The body of a step", "a step");
  const { workflowRunId: runId, workflowName } = context.workflow;
  return { runId, workflowName, stepName: definition.id, stepId, attempt, headers: context.headers };
}

async function ask(
  step: PendingStep,
  reconcile: (stepId: string, args: unknown[]) => Promise<unknown>,
  args: unknown[],
): Promise<unknown> {
  const facts = stepFacts(step);
  try {
    const context = currentContext();
    const asks = async (): Promise<unknown> => await reconcile(step.id, args);
    if (context?.kind !== "step") return await asks();
    // With keys of its own: the body's must be those of the attempt before.
    return await contexts.run(context.withKeys(new StepKeys(`${step.id}-ask`)), asks);
  } catch (error) {
    if (FatalError.is(error) || RetryableError.is(error)) throw error;
    throw new StepOutcomeUnknownError(facts, error);
  }
}
