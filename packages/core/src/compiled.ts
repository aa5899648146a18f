import { guardedExecution } from "./context.ts";
import { closure, closureCode } from "./define/closure.ts";
import type { AnyFunction, AsyncFunction } from "./define/registry.ts";
import { step as define, instanceStep, type StepFunction } from "./define/step.ts";
import { installStepById } from "./define/step-by-id.ts";
import { workflow } from "./define/workflow.ts";
import { installGuard } from "./determinism/index.ts";
import { isSerializable } from "./serialization/classes.ts";
import { type Class, registerClass } from "./serialization/index.ts";

/** What compiled modules import. Not for people: write `step` and `workflow` from `perdure` instead. */
export { registerClass, workflow };

installStepById();

/** What the compiler writes for a step. */
interface CompiledStep {
  /** @param captured what the step uses of the functions around it: the values go with it where it is stored as a value */
  <F extends AsyncFunction>(
    id: string,
    fn: F,
    captured?: () => Readonly<Record<string, unknown>>,
  ): StepFunction<F>;
  /** Says how a step that stands in a function is made of these values, in processes where that function never ran. */
  code(id: string, make: (captured: never) => AnyFunction): void;
}

/** Makes a function a step. */
export const step: CompiledStep = Object.assign(
  <F extends AsyncFunction>(
    id: string,
    fn: F,
    captured?: () => Readonly<Record<string, unknown>>,
  ): StepFunction<F> => {
    const made = define(id, fn);
    return captured === undefined ? made : closure(made, captured);
  },
  { code: closureCode },
);

/**
 * Installs the determinism guard for the life of the process, before a worker would. What modules copy when they are
 * loaded, as in `const { randomBytes } = require("crypto")`, is guarded too if it is copied after this.
 */
export function guardProcess(): void {
  installGuard(guardedExecution);
}

/** Registers a class under an id if it has, itself or by inheritance, what says how its instances are stored. */
export function registerIfStored(id: string, cls: Class): void {
  if (isSerializable(cls)) registerClass(id, cls);
}

type Mark = readonly [
  kind: "step" | "workflow",
  id: string,
  captured?: () => Readonly<Record<string, unknown>>,
];

/**
 * Marks methods and accessors of an object literal, of a class, or of its instances (`target` is its prototype then), keeping
 * `this` and `super`. The `this` of an instance's step crosses the journal.
 */
export function methods<T extends object>(
  target: T,
  marks: Readonly<Record<string, Mark | { readonly get?: Mark; readonly set?: Mark }>>,
): T {
  const isPrototype = Object.hasOwn(target, "constructor") && target.constructor.prototype === target;
  const wrap = (fn: unknown, key: string, [kind, id, captured]: Mark): AsyncFunction => {
    if (typeof fn !== "function") {
      throw new TypeError(`Cannot make "${key}" the ${kind} ${id}: it is not a method of its object.`);
    }
    if (kind === "workflow") return workflow(id, fn as AsyncFunction);
    return isPrototype ? instanceStep(id, fn as AsyncFunction) : step(id, fn as AsyncFunction, captured);
  };
  for (const [key, mark] of Object.entries(marks)) {
    const property = Object.getOwnPropertyDescriptor(target, key);
    if (Array.isArray(mark)) {
      Object.defineProperty(target, key, {
        ...property,
        value: wrap(property?.value, key, mark as unknown as Mark),
      });
      continue;
    }
    const { get, set } = mark as { readonly get?: Mark; readonly set?: Mark };
    Object.defineProperty(target, key, {
      ...property,
      ...(get && { get: wrap(property?.get, key, get) }),
      ...(set && { set: wrap(property?.set, key, set) }),
    });
  }
  return target;
}
