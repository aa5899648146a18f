import { AsyncResource } from "node:async_hooks";

/**
 * Nobody's async context. What a program keeps in an `AsyncLocalStorage`, such as the request that it serves, must not be
 * seen by a run that the request happens to start, to wake, or to make a connection for: it would be another one in every
 * process.
 */
const nobody = new AsyncResource("perdure");

// This module may be imported while a request is served. Node keeps the stores of that moment in the resource, under a
// symbol; where it should keep them elsewhere one day, a static import of this package still does the same.
for (const key of Object.getOwnPropertySymbols(nobody)) {
  if (key.description === "context_frame" || key.description === "kResourceStore") {
    Reflect.set(nobody, key, undefined);
  }
}

/** Calls `fn` where every `AsyncLocalStorage` is empty, ours included; what it begins stays there. */
export function outside<T>(fn: () => T): T {
  return nobody.runInAsyncScope(fn);
}
