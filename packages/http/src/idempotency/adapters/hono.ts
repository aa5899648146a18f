import { type IdempotencyContext, IdempotencyLayer } from "../layer.ts";
import type { IdempotentOptions } from "../options.ts";

/** `idempotent` for Hono. */

/** What is needed of Hono's context. */
export interface HonoContext {
  readonly req: { readonly raw: Request; arrayBuffer(): Promise<ArrayBuffer> };
}

/**
 * Makes a handler for a Hono route, with the meaning of {@link idempotent}. Middleware may have read the body before.
 *
 * @example
 * ```ts
 * const charge = idempotentHono((_, { key }) => Response.json({ key }));
 * ```
 */
export function idempotentHono<C extends HonoContext>(
  handler: (c: C, context: IdempotencyContext) => Response | Promise<Response>,
  options: IdempotentOptions = {},
): (c: C) => Promise<Response> {
  const layer = new IdempotencyLayer("idempotentHono()", options);
  return async (c) => {
    const { raw } = c.req;
    // Hono keeps a body that was read.
    const request = raw.bodyUsed
      ? new Request(raw.url, { method: raw.method, headers: raw.headers, body: await c.req.arrayBuffer() })
      : raw;
    return await layer.handle(request, (_, context) => handler(c, context));
  };
}
