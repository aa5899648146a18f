import {
  type AnyFunction,
  type AsyncFunction,
  registry,
  type StepReference,
  stepReferenceOf,
} from "./registry.ts";
import { stepFunction } from "./step-function.ts";

/** Steps that are made inside other functions, so that they can be made again where those functions never ran. */

/**
 * Says what a step uses of the variables around it: their values go with it where it is stored as a value.
 *
 * @returns the step
 */
export function closure<F extends AnyFunction>(
  step: F,
  captured: () => Readonly<Record<string, unknown>>,
): F {
  const reference = stepReferenceOf(step);
  if (reference !== undefined) (reference as { captured: StepReference["captured"] }).captured = captured;
  return step;
}

/** Registers how a step is made of the values that it captures. */
export function closureCode(id: string, make: (captured: never) => AnyFunction): void {
  registry.closures.set(id, (read, options) => {
    // Made when it is first called: values that contain the step itself are complete by then.
    let made: AnyFunction | undefined;
    const body: AsyncFunction = function (this: unknown, ...args: unknown[]) {
      made ??= make(read() as never);
      return made.apply(this, args) as Promise<unknown>;
    };
    const step = stepFunction(id, body, options);
    return closure(step, read);
  });
}
