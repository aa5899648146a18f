import type { IncomingMessage, ServerResponse } from "node:http";
import { nodeListener } from "@perdure/http/node";
import type { Dashboard } from "../dashboard.ts";

/**
 * A dashboard as a listener of `node:http`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * createServer(dashboardNode(createDashboard())).listen(4318, "127.0.0.1");
 * ```
 */
export function dashboardNode(
  dashboard: Dashboard,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return nodeListener(dashboard);
}
