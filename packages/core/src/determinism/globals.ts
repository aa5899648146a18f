/**
 * The guarded globals, one entry each: where it is, and what stands in for it.
 */
import { NonDeterminismError } from "../errors/input.ts";
import type { Lookup } from "./context.ts";
import { guardDate } from "./date.ts";
import { guardRace } from "./race.ts";
import { fillRandom, randomUuid } from "./random.ts";

/** A guarded global. */
export interface Slot {
  /** The object that has it now; a fake clock may replace `performance` as a whole. */
  readonly holder: () => object;
  readonly key: string;
  /** What stands in for the value that the holder has. */
  readonly guard: (original: never, lookup: Lookup) => unknown;
  /** Left alone when it is replaced after installation: a test's mock of `fetch` must stay the mock it is. */
  readonly mockable?: boolean;
}

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

const SLEEP = 'Use await sleep("5m"), which is durable, or move the work to a step.';
const STEP = 'Move the call to a step: an async function that begins with "use step".';
const AWAIT = "Leave it out: a workflow goes on when what it awaits has arrived.";

/** In the order in which they are installed. */
export const SLOTS: readonly Slot[] = [
  { holder: () => globalThis, key: "Date", guard: guardDate },
  // So that `value.constructor === Date` holds as it does without the guard.
  { holder: () => globalThis.Date.prototype, key: "constructor", guard: () => globalThis.Date },
  {
    holder: () => Math,
    key: "random",
    guard: (original: () => number, lookup) => () => lookup()?.random() ?? original(),
  },
  {
    holder: () => globalThis.performance,
    key: "now",
    guard: (original: AnyFunction, lookup) =>
      function now(this: unknown): unknown {
        return lookup()?.now() ?? Reflect.apply(original, this, []);
      },
  },
  {
    holder: () => globalThis.crypto,
    key: "randomUUID",
    guard: (original: AnyFunction, lookup) =>
      function randomUUID(this: unknown, ...args: unknown[]): unknown {
        const context = lookup();
        return context ? randomUuid(() => context.random()) : Reflect.apply(original, this, args);
      },
  },
  {
    holder: () => globalThis.crypto,
    key: "getRandomValues",
    guard: (original: AnyFunction, lookup) =>
      function getRandomValues(this: unknown, ...args: unknown[]): unknown {
        // The original first: it refuses what it refuses anywhere.
        const view = Reflect.apply(original, this, args) as ArrayBufferView;
        const context = lookup();
        if (context) fillRandom(() => context.random(), view);
        return view;
      },
  },
  { holder: () => globalThis.Promise, key: "race", guard: guardRace },
  { holder: () => globalThis.Promise, key: "any", guard: guardRace },
  { holder: () => globalThis, key: "setTimeout", guard: refusal("setTimeout()", SLEEP) },
  { holder: () => globalThis, key: "setInterval", guard: refusal("setInterval()", SLEEP) },
  { holder: () => globalThis, key: "setImmediate", guard: refusal("setImmediate()", AWAIT) },
  { holder: () => globalThis, key: "fetch", guard: refusal("fetch()", STEP), mockable: true },
];

function refusal(name: string, instead: string): (original: AnyFunction, lookup: Lookup) => AnyFunction {
  return (original, lookup) => {
    const guarded: AnyFunction = function (this: unknown, ...args) {
      const context = lookup();
      if (context) throw new NonDeterminismError(name, context.describe, instead);
      return Reflect.apply(original, this, args);
    };
    // Name and length, and what hangs on timers: their promise forms.
    const { prototype, ...properties } = Object.getOwnPropertyDescriptors(original) as PropertyDescriptorMap;
    return Object.defineProperties(guarded, properties);
  };
}
