import type { Dashboard } from "../dashboard.ts";

/** The handlers of a route of Next. */
export interface NextHandlers {
  readonly GET: (request: Request) => Promise<Response>;
  readonly POST: (request: Request) => Promise<Response>;
}

/**
 * A dashboard as the handlers of a route of Next, in a file such as `app/admin/perdure/[[...path]]/route.ts`.
 *
 * @example
 * ```ts
 * export const { GET, POST } = dashboardNext(createDashboard({ basePath: "/admin/perdure", authorize }));
 * ```
 */
export function dashboardNext(dashboard: Dashboard): NextHandlers {
  const handle = async (request: Request): Promise<Response> => await dashboard(request);
  return { GET: handle, POST: handle };
}
