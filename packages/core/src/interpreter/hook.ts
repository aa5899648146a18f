import { isShielded } from "../contexts.ts";
import type { Contender, Contention, Offer } from "../determinism/index.ts";
import { HookConflictError, HookNotFoundError } from "../errors/index.ts";
import { registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "../serialization/index.ts";
import type { NewEvent } from "../world/index.ts";
import { type Deferred, deferred, rejected } from "./deferred.ts";

/** Hooks as the workflow function sees them: payloads in order, none swallowed by the loser of a race. */

/** A payload, and the event that brought it. */
export interface Payload<T> extends Pick<NewEvent, "id" | "name" | "data"> {
  readonly value: T;
}

type Delivery<T> = { readonly done: false; readonly value: T } | { readonly done: true };

/** What a hook is made of. */
export interface HookParts<Owner> {
  readonly id: string;
  readonly token: string;
  /** What the code is told of the run that has the token. */
  readonly ownerOf: (runId: string) => Owner;
  /** Called once, unless another hook has the token; `asked`: the run has asked for the hook. */
  readonly onDispose: (asked: boolean) => void;
  /** Called before the code waits for a payload; what it gets instead, if not `null`. */
  readonly onWait: () => Promise<never> | null;
}

/** The implementation of the hooks that workflows have. */
export class WorkflowHook<T = unknown, Owner = unknown>
  implements AsyncIterable<T>, PromiseLike<T>, Contender
{
  readonly token: string;
  readonly id: string;
  readonly #parts: HookParts<Owner>;
  #data: Uint8Array | null = null;
  /** The run has asked for it, so that a payload can come. */
  #asked = false;
  /** Payloads that nobody has taken. */
  readonly #buffer: Payload<T>[] = [];
  readonly #registration: Deferred<Owner | null> = deferred();
  #registered = false;
  #registrationAwaited = false;
  #next: Deferred<Delivery<T>> | null = null;
  /** It is awaited inside a `shield`. */
  #shielded = false;
  /** Races that the hook is in. */
  readonly #races: Set<Deferred<Offer>> = new Set();
  #conflict: { runId: string } | null = null;
  #disposed = false;

  constructor(parts: HookParts<Owner>) {
    this.#parts = parts;
    this.id = parts.id;
    this.token = parts.token;
  }

  /** What is shown of it outside, encoded. */
  get data(): Uint8Array | null {
    return this.#data;
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

  getConflict(): Promise<Owner | null> {
    this.#registrationAwaited = !this.#registered;
    return this.#registration.promise;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#conflict === null) this.#parts.onDispose(this.#asked);
    this.#settle({ done: true });
    this.#failRaces(new HookNotFoundError(this.token));
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

  /** A race that the hook is in takes a payload only if it wins. */
  "perdure.contend"(): Contention {
    const offer = deferred<Offer>();
    const [payload] = this.#buffer;
    if (payload !== undefined) offer.resolve(this.#offer(payload));
    else if (this.#conflict !== null) offer.reject(this.#conflictError(this.#conflict));
    else if (this.#disposed) offer.reject(new HookNotFoundError(this.token));
    else this.#races.add(offer);
    return { offer: offer.promise, withdraw: () => void this.#races.delete(offer) };
  }

  /** Whether the workflow is waiting for something of this hook. */
  get awaited(): boolean {
    return this.#asked && (this.#next !== null || this.#races.size > 0 || this.#registrationAwaited);
  }

  /** What came that nobody has taken, in order. */
  get payloads(): readonly Payload<T>[] {
    return this.#buffer;
  }

  /** Takes them away, for another hook with the token. */
  handOver(): readonly Payload<T>[] {
    return this.#buffer.splice(0);
  }

  /** A payload arrived. */
  receive(payload: Payload<T>): void {
    for (const race of this.#races) race.resolve(this.#offer(payload));
    this.#races.clear();
    if (this.#next === null) this.#buffer.push(payload);
    else this.#settle({ done: false, value: payload.value });
  }

  /** The run asks for it, or has it, and shows this of it. */
  askedFor(data: Uint8Array | null): void {
    this.#asked = true;
    this.#data = data;
  }

  /** The journal tells whether the token is ours. */
  registered(conflict: { runId: string } | null): void {
    this.#registered = true;
    this.#registrationAwaited = false;
    this.#conflict = conflict;
    this.#registration.resolve(conflict === null ? null : this.#parts.ownerOf(conflict.runId));
    if (conflict !== null) this.fail(this.#conflictError(conflict));
  }

  /** The run was cancelled: rejects what is awaited now, unless a `shield` is around it. */
  cancel(error: unknown): void {
    if (!this.#shielded) this.fail(error);
  }

  /** Rejects what is awaited now. */
  fail(error: unknown): void {
    const next = this.#next;
    this.#next = null;
    next?.reject(error);
    this.#failRaces(error);
  }

  #take(): Promise<Delivery<T>> {
    const payload = this.#buffer.shift();
    if (payload !== undefined) return Promise.resolve({ done: false, value: payload.value });
    if (this.#conflict !== null) return rejected(this.#conflictError(this.#conflict));
    if (this.#disposed) return Promise.resolve({ done: true });
    const cancelled = this.#parts.onWait();
    if (cancelled !== null) return cancelled;
    this.#next ??= deferred();
    this.#shielded = isShielded();
    return this.#next.promise;
  }

  /** Several races that end with the same payload take it once. */
  #offer(payload: Payload<T>): Offer {
    return {
      "perdure.offer": true,
      value: payload.value,
      accept: () => {
        const at = this.#buffer.indexOf(payload);
        if (at >= 0) this.#buffer.splice(at, 1);
      },
    };
  }

  #failRaces(error: unknown): void {
    for (const race of this.#races) race.reject(error);
    this.#races.clear();
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

/**
 * A hook crosses into a step as what others reach it by: an object with its token. The steps of a run have nothing of the run's own to
 * wait for.
 */
Object.defineProperties(WorkflowHook, {
  [WORKFLOW_SERIALIZE]: { value: ({ token }: WorkflowHook) => ({ token }) },
  [WORKFLOW_DESERIALIZE]: { value: (reach: unknown) => reach },
});
registerClass("perdure/Hook", WorkflowHook);
