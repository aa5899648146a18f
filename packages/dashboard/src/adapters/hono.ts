import type { Dashboard } from "../dashboard.ts";

/** What is needed of Hono's context. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
  /** On Node, what `@hono/node-server` knows of the connection. */
  readonly env?: unknown;
}

/**
 * A dashboard as a handler of Hono.
 *
 * @example
 * ```ts
 * app.all("/admin/perdure/*", dashboardHono(createDashboard({ basePath: "/admin/perdure", authorize })));
 * ```
 */
export function dashboardHono(dashboard: Dashboard): (c: HonoContext) => Promise<Response> {
  return async (c) => {
    const { incoming } = (c.env ?? {}) as {
      readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
    };
    return await dashboard(c.req.raw, { remoteAddress: incoming?.socket?.remoteAddress });
  };
}
