import { stepReferenceOf } from "../define/registry.ts";
import { stubs } from "../define/stubs.ts";

/**
 * Puts another body in the place of a step's, for every worker of this process. In workflows, and in `runStep`, it is executed as the
 * step: with the same options, attempts and metadata. A step that is called elsewhere is a plain call of its own body.
 *
 * @returns what takes it away again
 * @example
 * ```ts
 * const restore = stubStep(createCharge, async () => ({ id: "ch_1" }));
 * ```
 */
export function stubStep<Args extends unknown[], Result>(
  step: (...args: Args) => Promise<Result>,
  body: (...args: Args) => Result | Promise<Result>,
): () => void {
  const id = stepReferenceOf(step)?.id;
  if (id === undefined) {
    throw new TypeError(
      `stubStep() was given ${typeof step === "function" ? `the function "${step.name}"` : String(step)}, which is no step. Begin the ` +
        'function with "use step" and let the compiler see its file, or make it one with step(id, fn).',
    );
  }
  if (typeof body !== "function") throw new TypeError("stubStep(step, body): the body must be a function.");
  const stub = body as (...args: unknown[]) => unknown;
  stubs.set(id, stub);
  return () => {
    if (stubs.get(id) === stub) stubs.delete(id);
  };
}
