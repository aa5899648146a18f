/**
 * Functions as values: a step, a workflow or a registered class crosses as its id, a step that was made inside another
 * function with the values of the variables that it uses.
 */
import { types } from "node:util";
import {
  type AnyFunction,
  namedStepOf,
  registry,
  stepReferenceOf,
  workflowFunction,
  workflowIdOf,
} from "../define/registry.ts";
import { SerializationError } from "../errors/input.ts";
import { type Class, classIdOf, findClass, isSerializable, registeredId } from "./classes.ts";
import { inWords, Refusal } from "./kinds.ts";

/** What is stored of a function. */
export type FunctionData =
  | { readonly workflow: string }
  | { readonly class: string }
  | {
      readonly step: string;
      /** The captured values, and what data options were set on the step. */
      readonly closure?: unknown;
      readonly options?: object;
    };

/** What to store of a function; a refusal where it is known why not; `undefined` for an ordinary function. */
export function functionData(value: unknown): FunctionData | Refusal | undefined {
  if (typeof value !== "function" || types.isProxy(value)) return undefined;
  const workflow = workflowIdOf(value);
  if (workflow !== undefined) return { workflow };
  if (stepReferenceOf(value) !== undefined) return stepData(value as AnyFunction);
  const named = namedStepOf(value);
  if (named !== undefined) return { step: named };
  const id = registeredId(value);
  if (id !== undefined) return { class: id };
  if (!isSerializable(value)) return undefined;
  try {
    return { class: classIdOf(value) };
  } catch {
    return new Refusal(NO_CLASS_ID);
  }
}

const NO_CLASS_ID =
  "is a class without an id of its own, which cannot be stored. Call registerClass(id, cls) in its module.";

function stepData(fn: AnyFunction): FunctionData | Refusal | undefined {
  const reference = stepReferenceOf(fn);
  if (reference === undefined) return undefined;
  const { id, captured, inContext } = reference;
  if (captured === undefined) {
    if (registry.closures.has(id)) return { step: id };
    // Of several functions under one id the last would be found: only that one may be meant.
    if (!inContext && registry.stepFunctions.get(id) === fn) return { step: id };
    return new Refusal(
      `is the step "${id}", which was made inside a ${inContext ? "workflow or step" : "function that was called again"} and ` +
        "uses what only exists there, so it cannot be stored. Declare it in the module, and pass it what it needs as arguments.",
    );
  }
  try {
    const options = Object.fromEntries(
      Object.entries(fn).filter(([, option]) => typeof option !== "function"),
    );
    const closure = captured();
    return Object.keys(options).length === 0 ? { step: id, closure } : { step: id, closure, options };
  } catch (error) {
    return new Refusal(`is the step "${id}", whose variables cannot be read yet: ${inWords(error)}.`);
  }
}

/** The function of its data. What it captured may not be complete yet: it is read when the function is first called. */
export function functionOf(data: FunctionData): AnyFunction | Class {
  if ("workflow" in data) {
    return workflowFunction(data.workflow) ?? unknown("workflow", data.workflow);
  }
  if ("class" in data) return findClass(data.class) ?? unknown("class", data.class);
  const { step, closure, options } = data;
  const known = closure === undefined ? registry.stepFunctions.get(step) : undefined;
  if (known !== undefined) return known;
  const make = registry.closures.get(step);
  return (
    make?.(() => (data.closure ?? {}) as Record<string, unknown>, options ?? {}) ?? unknown("step", step)
  );
}

function unknown(kind: "step" | "workflow" | "class", id: string): never {
  throw new SerializationError(
    "A stored value",
    `is the ${kind} "${id}", which is not registered in this process. Import the module that ` +
      (kind === "class"
        ? `declares it, and call registerClass("${id}", …) in it.`
        : "declares it, where the worker starts."),
  );
}
