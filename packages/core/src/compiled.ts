import { guardedExecution } from "./context.ts";
import type { AsyncFunction } from "./define/registry.ts";
import { step } from "./define/step.ts";
import { workflow } from "./define/workflow.ts";
import { installGuard } from "./determinism/index.ts";
import { registerClass } from "./serialization/index.ts";

/** What compiled modules import. Not for people: write `step` and `workflow` from `perdure` instead. */
export { registerClass, step, workflow };

/**
 * Installs the determinism guard for the life of the process, before a worker would. What modules copy when they are
 * loaded, as in `const { randomBytes } = require("crypto")`, is guarded too if it is copied after this.
 */
export function guardProcess(): void {
  installGuard(guardedExecution);
}

/** Marks methods of an object literal or static methods of a class, keeping `this` and `super`. */
export function methods<T extends object>(
  target: T,
  marks: Readonly<Record<string, readonly ["step" | "workflow", string]>>,
): T {
  for (const [key, [kind, id]] of Object.entries(marks)) {
    const property = Object.getOwnPropertyDescriptor(target, key);
    if (typeof property?.value !== "function") {
      throw new TypeError(`Cannot make "${key}" the ${kind} ${id}: it is not a method of its object.`);
    }
    const fn = property.value as AsyncFunction;
    Object.defineProperty(target, key, {
      ...property,
      value: kind === "step" ? step(id, fn) : workflow(id, fn),
    });
  }
  return target;
}
