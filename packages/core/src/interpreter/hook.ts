import { HookConflictError, HookNotFoundError } from "../errors/index.ts";
import { type Deferred, deferred, rejected } from "./deferred.ts";
import type { Execution } from "./execution.ts";

/** Hooks as the workflow function sees them: payloads in order, none swallowed by the loser of a race. */

/** Options of `createHook`. */
export interface HookOptions {
  /** Unique among live hooks. Default: random. At most 255 characters. */
  readonly token?: string;
  /** Any serializable value, for those who look the hook up by its token. */
  readonly metadata?: unknown;
}

/**
 * A durable, addressable promise. `await hook` gives the next payload; `for await` gives all of them. Payloads that were
 * sent before the workflow awaits are kept in order. Awaits that are pending at the same time get the same payload, so
 * the loser of a `Promise.race` does not swallow the next one.
 */
export interface Hook<T = unknown> extends AsyncIterable<T>, PromiseLike<T> {
  /** What others pass to `resumeHook`. */
  readonly token: string;
  /** Registers the hook and tells whether another live hook has its token: that one's run, or `null` when it is ours. */
  getConflict(): Promise<{ runId: string } | null>;
  /** Frees the token; iterations end, later awaits reject. Payloads that came before stay readable. */
  dispose(): void;
  [Symbol.dispose](): void;
}

type Delivery<T> = { readonly done: false; readonly value: T } | { readonly done: true };

/** The one implementation of {@link Hook}. */
export class WorkflowHook<T = unknown> implements Hook<T> {
  readonly token: string;
  readonly id: string;
  readonly #execution: Execution;
  readonly #buffer: T[] = [];
  readonly #registration: Deferred<{ runId: string } | null> = deferred();
  #registrationAwaited = false;
  #next: Deferred<Delivery<T>> | null = null;
  #conflict: { runId: string } | null = null;
  #disposed = false;

  constructor(execution: Execution, id: string, token: string) {
    this.#execution = execution;
    this.id = id;
    this.token = token;
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a hook is its purpose.
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const value = this.#take().then((delivery) => {
      if (delivery.done) throw new HookNotFoundError(this.token);
      return delivery.value;
    });
    value.catch(() => {});
    return value.then(onFulfilled, onRejected);
  }

  getConflict(): Promise<{ runId: string } | null> {
    this.#registrationAwaited = true;
    return this.#registration.promise;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#conflict === null) this.#execution.disposeHook(this);
    this.#settle({ done: true });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: async (): Promise<IteratorResult<T>> => {
        const delivery = await this.#take();
        return delivery.done ? { done: true, value: undefined } : { done: false, value: delivery.value };
      },
    };
  }

  /** Whether the workflow is waiting for something of this hook. */
  get awaited(): boolean {
    return this.#next !== null || this.#registrationAwaited;
  }

  /** A payload arrived. */
  receive(value: T): void {
    if (this.#next === null) this.#buffer.push(value);
    else this.#settle({ done: false, value });
  }

  /** The journal tells whether the token is ours. */
  registered(conflict: { runId: string } | null): void {
    this.#registrationAwaited = false;
    this.#conflict = conflict;
    this.#registration.resolve(conflict);
    if (conflict !== null) this.fail(this.#conflictError(conflict));
  }

  /** Rejects what is awaited now. */
  fail(error: unknown): void {
    const next = this.#next;
    this.#next = null;
    next?.reject(error);
  }

  #take(): Promise<Delivery<T>> {
    if (this.#buffer.length > 0) return Promise.resolve({ done: false, value: this.#buffer.shift() as T });
    if (this.#conflict !== null) return rejected(this.#conflictError(this.#conflict));
    if (this.#disposed) return Promise.resolve({ done: true });
    this.#next ??= deferred();
    return this.#next.promise;
  }

  #settle(delivery: Delivery<T>): void {
    const next = this.#next;
    this.#next = null;
    next?.resolve(delivery);
  }

  #conflictError(conflict: { runId: string }): HookConflictError {
    return new HookConflictError(this.token, conflict.runId);
  }
}
