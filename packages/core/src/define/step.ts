import { workflowOfStep } from "./built-ins.ts";
import { asCopy } from "./origin.ts";
import { type AnyFunction, type AsyncFunction, registerStep, registry } from "./registry.ts";
import { checkStepOptions, type StepOptions } from "./retry-policy.ts";
import { type StepCalling, stepFunction } from "./step-function.ts";

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
  return defineStep(id, fn, options, { self: "same" }, step) as StepFunction<F>;
}

/**
 * Makes a step of perdure's own. A process may have several copies of this package, of other versions or with other names in a bundle:
 * each defines it, and the last one counts.
 */
export function ownStep<F extends AsyncFunction>(
  id: string,
  fn: F,
  options: StepOptions = {},
): StepFunction<F> {
  return asCopy(() => step(id, fn, options));
}

/** Makes a method of a class's instances, or their getter or setter, a step: its `this` crosses the journal by value. */
export function instanceStep(id: string, fn: AnyFunction): AsyncFunction {
  return defineStep(id, fn, {}, { self: "value" }, instanceStep);
}

function defineStep(
  id: string,
  fn: AnyFunction,
  options: StepOptions,
  calling: StepCalling,
  define: (...args: never[]) => unknown,
): AsyncFunction {
  if (typeof id !== "string" || id === "" || id.length > 255) {
    throw new TypeError(`step(id, fn): the id must be a string of 1 to 255 characters, got ${String(id)}.`);
  }
  if (typeof fn !== "function") {
    throw new TypeError(`step(${JSON.stringify(id)}, fn): fn must be an async function, got ${typeof fn}.`);
  }
  checkStepOptions(id, options);
  registerStep(id, fn as AsyncFunction, define);
  const made = stepFunction(id, fn, options, calling);
  registry.stepFunctions.set(id, made);
  for (const listener of registry.listeners) listener(workflowOfStep(id));
  return made;
}
