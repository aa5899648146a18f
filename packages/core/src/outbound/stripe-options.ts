import { currentContext } from "../context.ts";
import { ContextError } from "../errors/index.ts";
import { warnOfHorizon } from "./horizon.ts";

/** What a request of the `stripe` client is given in a step. */

/** Options of {@link stripeOptions}. */
export interface StripeOptionsOptions {
  /** Which of Stripe's APIs the request goes to: it says how long keys are kept. Default `"v1"`. */
  readonly api?: "v1" | "v2";
}

const HOUR = 3_600_000;

/** For how long Stripe keeps keys, in ms: https://docs.stripe.com/api/idempotent_requests and its page of API v2. */
const RETENTION = { v1: 24 * HOUR, v2: 30 * 24 * HOUR } as const;

/**
 * The request options of the `stripe` client for a request of this step: the step's key, as `fetch` numbers it, and two retries by
 * the client itself, under the same key, of what got no answer or met an earlier attempt in flight. Warns if the step may be tried
 * again for longer than Stripe keeps the key.
 *
 * @throws {ContextError} outside a step
 * @example
 * ```ts
 * const charge = await stripeClient.charges.create({ customer: "cus_1" }, stripeOptions());
 * ```
 */
export function stripeOptions({ api = "v1" }: StripeOptionsOptions = {}): {
  idempotencyKey: string;
  maxNetworkRetries: number;
} {
  if (!Object.hasOwn(RETENTION, api)) {
    throw new TypeError(`stripeOptions({ api }): must be "v1" or "v2", got ${JSON.stringify(api)}.`);
  }
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError("stripeOptions()", "a step");
  warnOfHorizon(context, RETENTION[api]);
  return { idempotencyKey: context.keys.next(), maxNetworkRetries: 2 };
}
