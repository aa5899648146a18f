import { WorkflowRuntimeError } from "../errors/index.ts";
import type { StepCall } from "./interceptor.ts";
import { hooks } from "./registry.ts";

/** Bodies of steps, with the interceptors around them. */

/** Whether somebody wraps bodies. */
export function wrapsSteps(): boolean {
  return hooks.aroundStep.length > 0;
}

/** Calls a body by way of the interceptors, the first one outermost. */
export async function aroundStep(call: StepCall, body: () => Promise<unknown>): Promise<unknown> {
  const through = hooks.aroundStep.reduceRight<() => Promise<unknown>>((inner, hook) => {
    const next = once(inner);
    return async () => await hook(call, next);
  }, body);
  return await through();
}

function once(inner: () => Promise<unknown>): () => Promise<unknown> {
  let called = false;
  return async () => {
    if (called) {
      throw new WorkflowRuntimeError(
        "aroundStep of an interceptor called next() a second time: a body is called once for each attempt. Let the step's retry " +
          "options repeat it.",
      );
    }
    called = true;
    return await inner();
  };
}
