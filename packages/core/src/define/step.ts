import { currentContext } from "../context.ts";
import { callStep } from "../interpreter/kinds/step.ts";
import { type AsyncFunction, registerStep } from "./registry.ts";
import { checkStepOptions, type StepOptions } from "./retry-policy.ts";
import type { StepDefinition } from "./step-definition.ts";

/** The type of a step: callable as the function it was made of, with the retry options as properties. */
export type StepFunction<F extends AsyncFunction> = F & StepOptions;

/**
 * Makes an async function a step: what the `"use step"` directive compiles to.
 *
 * Called in a workflow, it is scheduled durably and its result recorded once; anywhere else it is a plain call of `fn`.
 * Arguments and result cross the journal by value.
 *
 * @param id Unique in the program and stable over deploys; part of the step's `stepId`.
 * @throws {WorkflowRuntimeError} if another function has the id, as for workflows
 * @param options Retry options; also settable as properties: `createCharge.maxRetries = 5`.
 * @example
 * ```ts
 * const createCharge = step("createCharge", async (customer: string) => {
 *   const { stepId } = getStepMetadata();
 *   return await stripeClient.charges.create({ customer }, { idempotencyKey: stepId });
 * });
 * ```
 */
export function step<F extends AsyncFunction>(id: string, fn: F, options: StepOptions = {}): StepFunction<F> {
  if (typeof id !== "string" || id === "" || id.length > 255) {
    throw new TypeError(`step(id, fn): the id must be a string of 1 to 255 characters, got ${String(id)}.`);
  }
  if (typeof fn !== "function") {
    throw new TypeError(`step(${JSON.stringify(id)}, fn): fn must be an async function, got ${typeof fn}.`);
  }
  checkStepOptions(id, options);
  registerStep(id, fn, step);
  const wrapper = function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const context = currentContext();
    if (context?.kind === "workflow") return callStep(context.execution, definition, this, args);
    return fn.apply(this, args);
  };
  const definition: StepDefinition = { id, fn, options: wrapper as StepOptions };
  // Properties that were set on the body before it was wrapped (`fn.maxRetries = 5` above a compiled declaration) stay.
  Object.assign(wrapper, fn, options);
  Object.defineProperty(wrapper, "name", { value: fn.name, configurable: true });
  Object.defineProperty(wrapper, "length", { value: fn.length, configurable: true });
  return wrapper as unknown as StepFunction<F>;
}
