/**
 * Listeners that a workflow adds to an `AbortSignal` or another `EventTarget`. Node makes an uncaught exception of what a listener
 * throws, which would end the worker, and the next one that takes the run over; in a workflow it ends the run.
 */
import type { GuardedContext, Lookup } from "./context.ts";
import { type AnyFunction, likeness, type Slot } from "./slot.ts";

type Listener = AnyFunction | { handleEvent?: unknown };

/** What was added in place of a listener; one for each, so that a target knows it again. */
const ours: WeakMap<object, AnyFunction> = new WeakMap();

/** In the order in which they are installed. */
export const LISTENER_SLOTS: readonly Slot[] = [
  { holder: () => EventTarget.prototype, key: "addEventListener", guard: guardAdding },
  { holder: () => EventTarget.prototype, key: "removeEventListener", guard: guardRemoving },
];

function guardAdding(original: AnyFunction, lookup: Lookup): AnyFunction {
  return likeness(original, function (this: unknown, ...args) {
    const [type, listener, ...rest] = args;
    const guarded = isListener(listener) && lookup() !== undefined;
    return Reflect.apply(original, this, guarded ? [type, ourOf(listener, lookup), ...rest] : args);
  });
}

function guardRemoving(original: AnyFunction, _lookup: Lookup): AnyFunction {
  return likeness(original, function (this: unknown, ...args) {
    const [type, listener, ...rest] = args;
    const added = isListener(listener) ? ours.get(listener) : undefined;
    if (added !== undefined) Reflect.apply(original, this, [type, added, ...rest]);
    return Reflect.apply(original, this, args);
  });
}

function ourOf(listener: Listener, lookup: Lookup): AnyFunction {
  let our = ours.get(listener);
  if (our === undefined) {
    our = function (this: unknown, event) {
      const context = lookup();
      if (context === undefined) return call(listener, this, event);
      callIn(context, listener, this, event);
    };
    ours.set(listener, our);
  }
  return our;
}

function callIn(context: GuardedContext, listener: Listener, target: unknown, event: unknown): void {
  const fail = (error: unknown): void => context.endAs(error);
  try {
    const result = call(listener, target, event) as PromiseLike<unknown> | undefined;
    if (typeof result?.then === "function") result.then(undefined, fail);
  } catch (error) {
    fail(error);
  }
}

function call(listener: Listener, target: unknown, event: unknown): unknown {
  if (typeof listener === "function") return Reflect.apply(listener, target, [event]);
  return (listener.handleEvent as AnyFunction).call(listener, event);
}

function isListener(value: unknown): value is Listener {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}
