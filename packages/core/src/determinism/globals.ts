/**
 * Everything that the guard covers, one entry each: where it is, and what stands in for it.
 */
import timers from "node:timers";
import timerPromises from "node:timers/promises";
import type { GuardedContext } from "./context.ts";
import { CRYPTO_SLOTS } from "./crypto.ts";
import { LISTENER_SLOTS } from "./listeners.ts";
import { guardRace } from "./race.ts";
import { answered, refused, type Slot } from "./slot.ts";
import { TIME_SLOTS } from "./time.ts";

const SLEEP = 'Use await sleep("5m"), which is durable, or move the work to a step.';
const FETCH = 'Use the durable one, import { fetch } from "perdure", or move the call to a step.';
const AWAIT = "Leave it out: a workflow goes on when what it awaits has arrived.";

/** In the order in which they are installed. */
export const SLOTS: readonly Slot[] = [
  ...TIME_SLOTS,
  { holder: () => Math, key: "random", guard: answered((context) => context.random()) },
  ...CRYPTO_SLOTS,
  { holder: () => globalThis.Promise, key: "race", guard: guardRace },
  { holder: () => globalThis.Promise, key: "any", guard: guardRace },
  // Node's modules have functions of their own, and two kinds of promises of them.
  ...[globalThis, timers, timerPromises].flatMap((holder): Slot[] => [
    { holder: () => holder, key: "setTimeout", guard: refused("setTimeout()", SLEEP) },
    { holder: () => holder, key: "setInterval", guard: refused("setInterval()", SLEEP) },
    { holder: () => holder, key: "setImmediate", guard: refused("setImmediate()", AWAIT) },
  ]),
  { holder: () => timerPromises.scheduler, key: "wait", guard: refused("scheduler.wait()", SLEEP) },
  { holder: () => timerPromises.scheduler, key: "yield", guard: refused("scheduler.yield()", AWAIT) },
  ...LISTENER_SLOTS,
  { holder: () => AbortSignal, key: "timeout", guard: answered(timeoutSignal) },
  { holder: () => globalThis, key: "fetch", guard: refused("fetch()", FETCH), mockable: true },
];

/** A signal that is aborted at the end of a durable sleep. */
function timeoutSignal(context: GuardedContext, [ms]: unknown[]): AbortSignal {
  if (typeof ms !== "number" || !(ms >= 0)) {
    throw new RangeError(`AbortSignal.timeout(): must be given milliseconds, got ${String(ms)}.`);
  }
  const controller = new AbortController();
  const late = (): void =>
    controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  // What is being cancelled does not run into its timeouts any more.
  context.sleep(ms).then(late, () => {});
  return controller.signal;
}
