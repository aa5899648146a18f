import { outside } from "./outside.ts";

/**
 * The one place where this package touches the machine's clock, timers and network. The globals are captured when the
 * module loads, so the engine keeps the real ones while the determinism guard or a test's fake timers replace them.
 */

/** Milliseconds since the epoch, by the machine's own clock. */
export const systemNow: () => number = Date.now.bind(Date);

/** Milliseconds of the machine's monotonic clock: no correction of the time of day moves it. */
export const systemElapsed: () => number = performance.now.bind(performance);

/** Random numbers in [0, 1), as they were at load: the guard must not make the engine's own jitter repeatable. */
export const systemRandom: () => number = Math.random;

/** The `Date` constructor as it was at load. */
export const SystemDate: DateConstructor = Date;

/** The timers as they were at load; they work in a workflow's async context too. */
export const systemSetTimeout: typeof setTimeout = globalThis.setTimeout;
export const systemClearTimeout: typeof clearTimeout = globalThis.clearTimeout;
export const systemSetInterval: typeof setInterval = globalThis.setInterval;
export const systemClearInterval: typeof clearInterval = globalThis.clearInterval;
export const systemSetImmediate: typeof setImmediate = globalThis.setImmediate;
export const systemClearImmediate: typeof clearImmediate = globalThis.clearImmediate;

/** The `fetch` as it was at load. */
export const systemFetch: typeof fetch = globalThis.fetch;

/**
 * Time and turns of the event loop, as the engine sees them. What it calls runs outside of the async context of whoever asked
 * for it: neither a workflow, whose globals are guarded, nor a request of the program may be seen by the engine's work.
 */
export interface Clock {
  /** Milliseconds since the epoch. Names moments; it jumps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds of monotonic time since some moment: for lengths, such as what is left of a lease. */
  elapsed(): number;
  /** Calls `fn` once at or after the time `at`; returns the function that cancels it. Never keeps the process alive. */
  setTimer(at: number, fn: () => void): () => void;
  /** Calls `fn` in a later macrotask, when every microtask that is ready now has run. */
  turn(fn: () => void): void;
  /** Calls `fn` a real millisecond later, under a test's clock too: work on other threads knows no other time. */
  pause(fn: () => void): void;
}

/** Timers of Node fire at once beyond this delay, so longer ones are cut into pieces. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The machine's clock and Node's event loop. */
export const systemClock: Clock = {
  now: systemNow,
  elapsed: systemElapsed,
  setTimer(at, fn) {
    let timer: NodeJS.Timeout;
    const end = systemElapsed() + at - systemNow();
    const arm = (): void => {
      const delay = end - systemElapsed();
      timer = outside(() =>
        systemSetTimeout(
          () => (delay > LONGEST_TIMEOUT ? arm() : fn()),
          Math.min(Math.max(delay, 0), LONGEST_TIMEOUT),
        ),
      );
      timer.unref();
    };
    arm();
    return () => systemClearTimeout(timer);
  },
  turn(fn) {
    outside(() => systemSetImmediate(fn));
  },
  pause(fn) {
    outside(() => systemSetTimeout(fn, 1));
  },
};

/** How many need the process. */
let needs = 0;
/** Keeps the process alive while somebody needs it. */
let alive: NodeJS.Timeout | undefined;

function need(): void {
  alive ??= outside(() => systemSetInterval(() => {}, LONGEST_TIMEOUT));
  if (needs++ === 0) alive.ref();
}

function needNoMore(): void {
  if (--needs === 0) alive?.unref();
}

/** Keeps the process alive until the returned function is called. */
export function keepProcessAlive(): () => void {
  need();
  let released = false;
  return () => {
    if (!released) needNoMore();
    released = true;
  };
}

/** Does what somebody awaits, and keeps the process alive until it has settled. */
export async function keptAlive<T>(work: () => Promise<T>): Promise<T> {
  need();
  try {
    return await work();
  } finally {
    needNoMore();
  }
}

/** Resolves after a delay by the clock. */
export function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(clock.now() + ms, resolve);
  });
}
