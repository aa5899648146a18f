import { delay, systemClock } from "../clock.ts";
import { currentContext, type StepContext } from "../context.ts";
import { type Length, lengthMs } from "../define/retry-policy.ts";
import { ownStep } from "../define/step.ts";
import { ContextError } from "../errors/index.ts";
import { readBody } from "../serialization/index.ts";
import { warnOfHorizon } from "./horizon.ts";
import { fatal, retryable } from "./http-errors.ts";
import { plainFetch } from "./plain-fetch.ts";
import { retryAfterMs } from "./retry-after.ts";
import { type FetchInput, KEY_HEADER, keyNeed } from "./step-keys.ts";

/** `fetch` for requests that must have one effect: with a key, and with a word on which failures are worth another attempt. */

/** What `idempotentFetch` takes beside what `fetch` does. */
export interface IdempotentFetchInit<T = Response> extends RequestInit {
  /**
   * Reads a 409 that says that the work was done before: what it gives is the result. `undefined`: it is an earlier attempt in
   * flight, and the request is sent again. Not in a workflow, where nothing would call it again: write a step.
   */
  readonly onConflict?: (response: Response) => T | undefined | Promise<T | undefined>;
  /** How long the other side keeps keys. If the step may be tried again for longer, a warning says so. Default: not known. */
  readonly keyRetention?: Length;
}

/** How long one attempt waits for an earlier one to leave the other side, in ms, and how long at once if that does not say. */
const MAX_WAIT = 10_000;
const WAIT = 1_000;
const SHORTEST_WAIT = 100;

const TOO_MANY_OR_EARLY = new Set([408, 425, 429]);

/**
 * `fetch` with an `Idempotency-Key`, numbered as that of {@link fetch}, that throws where the response is no answer to use. A
 * 409 is sent again as `Retry-After` says, for up to 10 seconds; then it is a `RetryableError`, as are 408, 425, 429, 5xx and a request
 * that got no response: with the time of `Retry-After`, else after the step's own backoff. Every other 4xx is a `FatalError`. The
 * errors have `status`, `url` (without its query) and `body`, the first 1,000 characters of the response. In a workflow it is a step of
 * its own.
 *
 * @throws {FatalError} or {@link RetryableError}, as above; {@link ContextError} for a request without a key outside workflows and steps
 * @example
 * ```ts
 * const response = await idempotentFetch("https://api.example.com/orders", {
 *   method: "POST",
 *   body: orderId,
 *   onConflict: (conflict) => (conflict.headers.has("location") ? conflict : undefined),
 * });
 * ```
 */
export async function idempotentFetch<T = Response>(
  input: FetchInput,
  init: IdempotentFetchInit<T> = {},
): Promise<Response | T> {
  const { onConflict, keyRetention, ...rest } = init;
  const retention =
    keyRetention === undefined ? null : lengthMs(keyRetention, "idempotentFetch({ keyRetention })");
  const context = currentContext();
  if (context?.kind !== "workflow") return await exchange(context, input, rest, { onConflict, retention });
  if (onConflict !== undefined) {
    throw new TypeError(
      "idempotentFetch({ onConflict }): not in a workflow. Call idempotentFetch in a step of yours.",
    );
  }
  const { signal, ...others } = rest;
  const request = new Request(input, others);
  return await (signal === undefined || signal === null
    ? sendDurably(request, retention)
    : sendDurably(request, retention, signal));
}

const sendDurably = ownStep(
  "perdure//idempotentFetch",
  async (request: Request, retention: number | null, signal?: AbortSignal): Promise<Response> => {
    const context = currentContext();
    if (context?.kind !== "step") throw new ContextError("idempotentFetch()", "a step");
    const init = signal === undefined ? {} : { signal };
    const response = await exchange<Response>(context, request, init, { onConflict: undefined, retention });
    await readBody(response, "The response");
    return response;
  },
);

interface Terms<T> {
  readonly onConflict: IdempotentFetchInit<T>["onConflict"] | undefined;
  readonly retention: number | null;
}

/** Sends the request until there is an answer to it, an error, or no time. */
async function exchange<T>(
  context: StepContext | undefined,
  input: FetchInput,
  init: RequestInit,
  terms: Terms<T>,
): Promise<Response | T> {
  // Before anything is awaited: keys are numbered in the order of the calls.
  const { wanted, headers } = keyNeed(input, init);
  if (wanted && context === undefined) {
    throw new ContextError("idempotentFetch() without an Idempotency-Key of its own", "a workflow or a step");
  }
  if (wanted && context !== undefined) {
    headers.set(KEY_HEADER, context.keys.next());
    if (terms.retention !== null) warnOfHorizon(context, terms.retention);
  }
  const given = init.signal ?? (typeof input === "object" && "signal" in input ? input.signal : undefined);
  const signals = [context?.step.signal, given].filter((one) => one !== undefined && one !== null);
  const signal = AbortSignal.any(signals);
  const request = new Request(input, { ...init, headers, signal });
  for (let waited = 0; ; ) {
    let response: Response;
    try {
      response = await plainFetch(request.clone());
    } catch (error) {
      if (signal.aborted) throw error;
      throw await retryable(context, request, { cause: error });
    }
    const { status } = response;
    if (status < 400) return response;
    const now = context?.store.now() ?? systemClock.now();
    const wait = retryAfterMs(response, now);
    if (status === 409) {
      const read = await terms.onConflict?.(response.clone());
      if (read !== undefined) return read;
      const pause = Math.max(wait ?? WAIT, SHORTEST_WAIT);
      waited += pause;
      if (waited > MAX_WAIT) throw await retryable(context, request, { response, wait });
      await response.body?.cancel();
      await pauseFor(pause, signal);
    } else if (status >= 500 || TOO_MANY_OR_EARLY.has(status)) {
      throw await retryable(context, request, { response, wait });
    } else {
      throw await fatal(request, response);
    }
  }
}

/** Waits, or throws the signal's reason. */
async function pauseFor(length: number, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([delay(systemClock, length), aborted]);
  signal.throwIfAborted();
}
