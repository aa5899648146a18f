import type { IncomingMessage, ServerResponse } from "node:http";
import { answerByNode } from "@perdure/http/node";
import type { Dashboard } from "../dashboard.ts";

/** What is needed of Fastify's request. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly originalUrl: string;
  readonly body?: unknown;
}

/** What is needed of Fastify's reply. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  hijack(): unknown;
}

/**
 * A dashboard as a handler of a Fastify route.
 *
 * @example
 * ```ts
 * const handler = dashboardFastify(createDashboard({ basePath: "/admin/perdure", authorize }));
 * app.route({ method: ["GET", "POST"], url: "/admin/perdure", handler });
 * app.route({ method: ["GET", "POST"], url: "/admin/perdure/*", handler });
 * ```
 */
export function dashboardFastify(
  dashboard: Dashboard,
): (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<void> {
  return async (request, reply) => {
    reply.hijack();
    // A body that was parsed is there; an empty one is null, and was read all the same.
    const body = request.raw.method === "POST" ? (request.body ?? "") : undefined;
    await answerByNode(dashboard, request.raw, reply.raw, { path: request.originalUrl, body });
  };
}
