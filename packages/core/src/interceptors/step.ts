import { WorkflowRuntimeError } from "../errors/index.ts";
import type { Logger } from "../logger.ts";
import type { StepCall } from "./interceptor.ts";
import { hooks } from "./registry.ts";

/** Bodies of steps, with the interceptors around them. */

/** Whether somebody wraps bodies. */
export function wrapsSteps(): boolean {
  return hooks.aroundStep.length > 0;
}

/**
 * Calls a body by way of the interceptors, the first one outermost. A body that has done its work is not called again on account of them: what
 * one throws after that goes to the logger.
 */
export async function aroundStep(
  call: StepCall,
  body: () => Promise<unknown>,
  logger: Logger,
): Promise<unknown> {
  const through = hooks.aroundStep.reduceRight<() => Promise<unknown>>(
    (inner, hook) => () => wrapped(hook, call, inner, logger),
    body,
  );
  return await through();
}

async function wrapped(
  hook: (typeof hooks.aroundStep)[number],
  call: StepCall,
  inner: () => Promise<unknown>,
  logger: Logger,
): Promise<unknown> {
  let called: Promise<unknown> | undefined;
  const next = async (): Promise<unknown> => {
    if (called !== undefined) {
      throw new WorkflowRuntimeError(
        "aroundStep of an interceptor called next() a second time: a body is called once for each attempt. Let the step's retry " +
          "options repeat it.",
      );
    }
    called = inner();
    return await called;
  };
  let given: unknown;
  let thrown: { readonly error: unknown } | undefined;
  try {
    given = await hook(call, next);
  } catch (error) {
    thrown = { error };
  }
  // It may not have waited: the attempt is over when the body is.
  const [body] = called === undefined ? [] : await Promise.allSettled([called]);
  if (thrown === undefined) return given;
  if (body?.status !== "fulfilled") throw thrown.error;
  const { runId, workflowName: workflow, stepName: step } = call;
  logger.warn(
    "aroundStep of an interceptor threw when the step had done its work, which changes nothing for the step: mend the interceptor",
    { runId, workflow, step, error: thrown.error },
  );
  return body.value;
}
