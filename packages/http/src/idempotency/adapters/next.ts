import { type IdempotencyContext, IdempotencyLayer } from "../layer.ts";
import type { IdempotentOptions } from "../options.ts";

/** `idempotent` for route handlers of Next. */

/**
 * Makes a route handler of Next, with the meaning of {@link idempotent}: the handler gets Next's own request and route context, and
 * the idempotency context after them.
 *
 * @example
 * ```ts
 * const POST = idempotentNext((_request, _route, { key }) => Response.json({ key }));
 * ```
 */
export function idempotentNext<R extends Request, Route>(
  handler: (request: R, route: Route, context: IdempotencyContext) => Response | Promise<Response>,
  options: IdempotentOptions = {},
): (request: R, route: Route) => Promise<Response> {
  const layer = new IdempotencyLayer("idempotentNext()", options);
  return async (request, route) =>
    await layer.handle(request, (_, context) => handler(request, route, context));
}
