import { types } from "node:util";
import { currentContext } from "../context.ts";
import { callStep } from "../interpreter/kinds/step.ts";
import { type AnyFunction, type AsyncFunction, STEP, STEP_ID, type StepReference } from "./registry.ts";
import type { StepOptions } from "./retry-policy.ts";
import type { StepDefinition } from "./step-definition.ts";

/** What is called in place of a step's body: in a workflow it asks the run for the step, elsewhere it calls the body. */

/** How a step takes what it is called with. */
export interface StepCalling {
  /** `value`: as the first of the arguments in the journal. `same`: the workflow's own object, which no journal holds. */
  readonly self: "same" | "value";
}

/** Makes the function that stands for a step. It is not registered. */
export function stepFunction(
  id: string,
  fn: AnyFunction,
  options: StepOptions,
  { self }: StepCalling = { self: "same" },
): AsyncFunction {
  const yields = types.isGeneratorFunction(fn);
  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    const context = currentContext();
    if (context?.kind !== "workflow") return fn.apply(this, args);
    const result =
      self === "value"
        ? callStep(context.execution, definition, undefined, [this, ...args])
        : callStep(context.execution, definition, this, args);
    return yields ? iterable(result as Promise<unknown[]>) : result;
  };
  const body = yields ? collecting(fn) : (fn as AsyncFunction);
  const definition: StepDefinition = {
    id,
    fn: self === "value" ? (instance, ...args) => body.apply(instance, args) : body,
    options: wrapper as StepOptions,
  };
  // Properties that were set on the body before it was wrapped (`fn.maxRetries = 5` above a compiled declaration) stay.
  Object.assign(wrapper, fn, options);
  Object.defineProperty(wrapper, "name", { value: fn.name, configurable: true });
  Object.defineProperty(wrapper, "length", { value: fn.length, configurable: true });
  const reference: StepReference = { id, inContext: currentContext() !== undefined, captured: undefined };
  Object.defineProperty(wrapper, STEP, { value: reference, configurable: true });
  Object.defineProperty(wrapper, STEP_ID, { value: id, configurable: true });
  return wrapper as AsyncFunction;
}

/** The body of a generator step: all that the generator yields. */
function collecting(fn: AnyFunction): AsyncFunction {
  return async function (this: unknown, ...args: unknown[]): Promise<unknown[]> {
    const values: unknown[] = [];
    for await (const value of fn.apply(this, args) as AsyncIterable<unknown>) values.push(value);
    return values;
  };
}

/** The promise of a list, over which `for await` goes as over the generator. */
function iterable(list: Promise<unknown[]>): Promise<unknown[]> & AsyncIterable<unknown> {
  return Object.assign(list, {
    async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
      yield* await list;
    },
  });
}
