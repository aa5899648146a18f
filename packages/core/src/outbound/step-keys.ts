/** The keys by which those whom a step calls know its requests again, in every attempt. */

/** The header that carries a key. */
export const KEY_HEADER = "idempotency-key";

const METHODS = new Set(["POST", "PATCH", "PUT", "DELETE"]);

/** The keys of one attempt, in the order in which it asks for them: the step's id, then the same with `-2`, `-3` … */
export class StepKeys {
  /** What all of them begin with: the step's id, or that of its `reconcile`, whose calls are others than the body's. */
  readonly base: string;
  #given = 0;

  constructor(base: string) {
    this.base = base;
  }

  next(): string {
    this.#given += 1;
    return this.#given === 1 ? this.base : `${this.base}-${this.#given}`;
  }
}

/** What `fetch` takes first. */
export type FetchInput = Parameters<typeof globalThis.fetch>[0];

/** What a request has of a key. */
export interface KeyNeed {
  /** It changes something, so it is to have one. */
  readonly wanted: boolean;
  /** The headers that it is sent with. */
  readonly headers: Headers;
}

/** Looks whether a request is to get a key: one of its own is left alone. */
export function keyNeed(input: FetchInput, init: RequestInit | undefined): KeyNeed {
  const request = typeof input === "object" && "headers" in input ? input : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  const method = (init?.method ?? request?.method ?? "GET").toUpperCase();
  return { wanted: METHODS.has(method) && !headers.has(KEY_HEADER), headers };
}

/** The `init` with the step's next key, where the request is to have one. */
export function withStepKey(
  keys: StepKeys,
  input: FetchInput,
  init: RequestInit | undefined,
): RequestInit | undefined {
  const { wanted, headers } = keyNeed(input, init);
  if (!wanted) return init;
  headers.set(KEY_HEADER, keys.next());
  return { ...init, headers };
}
