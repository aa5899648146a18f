/** A World that tells of every call to its store. */
import type { World } from "@perdure/core/world";

/** One answered call of a World's method; times in `performance.now()` milliseconds. */
export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly result: unknown;
  readonly began: number;
  readonly ended: number;
}

/** The methods that do not go to the store. */
const LOCAL = new Set<PropertyKey>(["describe", "subscribe", "open", "close"]);

/** `world` itself, except that `onCall` hears of every call to the store that was answered. */
export function observe(world: World, onCall: (call: Call) => void): World {
  return new Proxy(world, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") {
        return value;
      }
      if (LOCAL.has(name)) {
        return value.bind(target);
      }
      return async (...args: unknown[]) => {
        const began = performance.now();
        const result: unknown = await value.apply(target, args);
        onCall({ method: String(name), args, result, began, ended: performance.now() });
        return result;
      };
    },
  });
}
