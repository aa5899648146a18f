import type { IncomingMessage, ServerResponse } from "node:http";
import { answerByNode } from "@perdure/http/node";
import type { Dashboard } from "../dashboard.ts";

/** What is needed of Express's request. */
export interface ExpressRequest extends IncomingMessage {
  originalUrl?: string;
  body?: unknown;
}

/**
 * A dashboard as a handler of Express, with body parsers before it or without.
 *
 * @example
 * ```ts
 * app.use("/admin/perdure", dashboardExpress(createDashboard({ basePath: "/admin/perdure", authorize })));
 * ```
 */
export function dashboardExpress(
  dashboard: Dashboard,
): (req: ExpressRequest, res: ServerResponse, next: (error?: unknown) => void) => Promise<void> {
  return async (req, res, next) => {
    try {
      const path = req.originalUrl ?? req.url ?? "/";
      await answerByNode(dashboard, req, res, { path, body: req.body });
    } catch (error) {
      next(error);
    }
  };
}
