/**
 * The one place where this package touches the machine's clock, timers and network. The globals are captured when the
 * module loads, so the engine keeps the real ones while the determinism guard or a test's fake timers replace them.
 */

/** Milliseconds since the epoch, by the machine's own clock. */
export const systemNow: () => number = Date.now.bind(Date);

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
