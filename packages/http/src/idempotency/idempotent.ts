import { IdempotencyLayer, type IdempotentHandler } from "./layer.ts";
import type { IdempotentOptions } from "./options.ts";

/** `idempotent` for servers that turn a `Request` into a `Response`. */

/**
 * Makes a handler whose POST, PATCH, PUT and DELETE requests have one effect each, however often they are sent: a client names
 * the operation with an `Idempotency-Key`, and whoever sends the key again gets the first answer, byte for byte, with
 * `Idempotent-Replayed: true`. 400 without a key, 409 while the first request is handled, 422 for another request under the key. The
 * answer is recorded before it is sent; a process that dies leaves its key to the next request, whose handler is told by `attempt`.
 *
 * @throws {TypeError} for an option that cannot be meant
 * @example
 * ```ts
 * const handle = idempotent(
 *   async (request, { idempotencyKeyFor }) => {
 *     const { customer, amount } = (await request.json()) as { customer: string; amount: number };
 *     const run = await start(chargeCustomer, [customer, amount], { idempotencyKey: idempotencyKeyFor("charge") });
 *     return Response.json({ runId: run.runId }, { status: 202 });
 *   },
 *   { ttl: "24h" },
 * );
 * const answer = await handle(request);
 * ```
 */
export function idempotent(
  handler: IdempotentHandler,
  options: IdempotentOptions = {},
): (request: Request) => Promise<Response> {
  const layer = new IdempotencyLayer("idempotent()", options);
  return async (request) => await layer.handle(request, handler);
}
