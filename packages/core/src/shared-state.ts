import { AsyncLocalStorage } from "node:async_hooks";
import type { Context } from "./context.ts";
import type { Registry } from "./define/registry.ts";
import type { RetryDefaults } from "./define/retry-policy.ts";

/**
 * State that must be one per process even when this package is loaded twice (a bundle beside `node_modules`, a duplicate
 * in a dependency): the async context, the registered workflows, the configured World.
 */
export interface SharedState {
  readonly contexts: AsyncLocalStorage<Context>;
  readonly registry: Registry;
  /** How steps are retried that have no options of their own: `configure({ retry })`. */
  retry: RetryDefaults | undefined;
  /** What else `configure()` set; typed where it is used. */
  runtime: unknown;
}

const KEY = Symbol.for("perdure.shared-state/1");
const holder = globalThis as { [KEY]?: SharedState };

/** The process-wide state, made on first use. */
export function sharedState(): SharedState {
  holder[KEY] ??= {
    contexts: new AsyncLocalStorage<Context>(),
    registry: { workflows: new Map(), steps: new Map(), origins: new WeakMap(), listeners: new Set() },
    retry: undefined,
    runtime: undefined,
  };
  return holder[KEY];
}
