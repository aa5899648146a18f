/**
 * What one entry of the guard's table is, and the two ways in which a function is guarded: answered, or refused.
 */
import { NonDeterminismError } from "../errors/input.ts";
import type { GuardedContext, Lookup } from "./context.ts";

/** A guarded property. */
export interface Slot {
  /** The object that has it now, such as a fake clock's `performance`; `undefined` where this platform has none. */
  readonly holder: () => object | undefined;
  readonly key: string;
  /** What stands in for the value that the holder has, or, of an accessor, for its getter. */
  readonly guard: (original: never, lookup: Lookup) => unknown;
  readonly accessor?: boolean;
  /** Left alone when it is replaced after installation: a test's mock of `fetch` must stay the mock it is. */
  readonly mockable?: boolean;
}

/** Any function, with whatever `this`. */
export type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/** What a workflow gets of a guarded function. `original` is bound to the call's `this`. */
export type Answer = (
  context: GuardedContext,
  args: unknown[],
  original: (...args: unknown[]) => unknown,
) => unknown;

/** Guards a function: inside workflows `answer` is called, elsewhere the original. */
export function answered(answer: Answer): Slot["guard"] {
  return (original: AnyFunction, lookup: Lookup) =>
    likeness(original, function (this: unknown, ...args) {
      const context = lookup();
      if (context === undefined) return Reflect.apply(original, this, args);
      return answer(context, args, (...given) => Reflect.apply(original, this, given));
    });
}

/** Guards a getter: inside workflows it gives what `answer` says. */
export function answeredGetter(answer: (context: GuardedContext) => unknown): Slot["guard"] {
  return (original: AnyFunction, lookup: Lookup) =>
    likeness(original, function (this: unknown) {
      const context = lookup();
      return context === undefined ? Reflect.apply(original, this, []) : answer(context);
    });
}

/** Refuses calls inside workflows. `name` as it is written, such as `fetch()`; `instead` says what to do. */
export function refused(name: string, instead: string): Slot["guard"] {
  return answered((context) => {
    throw new NonDeterminismError(name, context.describe, instead);
  });
}

/** The original's name and length, and what hangs on it, such as the promise forms of timers. */
export function likeness(original: AnyFunction, guarded: AnyFunction): AnyFunction {
  const { prototype, ...properties } = Object.getOwnPropertyDescriptors(original) as PropertyDescriptorMap;
  return Object.defineProperties(guarded, properties);
}

/** Where an effect belongs; the end of a refusal. */
export const STEP = 'Move the call to a step: an async function that begins with "use step".';
