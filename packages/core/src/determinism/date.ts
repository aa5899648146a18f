/**
 * A `Date` that tells a workflow's time inside workflows and is the real one in every other respect.
 */
import type { Lookup } from "./context.ts";

/** A constructor over `original`: one prototype, so `instanceof` holds either way, and subclassing works. */
export function guardDate(original: DateConstructor, lookup: Lookup): DateConstructor {
  function GuardedDate(...args: unknown[]): string | Date {
    const context = new.target === undefined || args.length === 0 ? lookup() : undefined;
    if (new.target === undefined) return context ? new original(context.now()).toString() : original();
    const given = context ? [context.now()] : args;
    return Reflect.construct(original, given, new.target === GuardedDate ? original : new.target) as Date;
  }

  // All statics: `now` is guarded before; a fake clock's instanceof, which knows dates made before it, is one of them.
  const { prototype, ...statics } = Object.getOwnPropertyDescriptors(original);
  return Object.defineProperties(GuardedDate, {
    ...statics,
    prototype: { ...prototype, writable: false },
  }) as unknown as DateConstructor;
}
