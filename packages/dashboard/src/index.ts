/** `@perdure/dashboard`: runs, hooks, locks and workers in a browser. */
export { dashboardExpress, type ExpressRequest } from "./adapters/express.ts";
export { dashboardFastify, type FastifyReplyLike, type FastifyRequestLike } from "./adapters/fastify.ts";
export { dashboardHono, type HonoContext } from "./adapters/hono.ts";
export { dashboardNext, type NextHandlers } from "./adapters/next.ts";
export { dashboardNode } from "./adapters/node.ts";
export { createDashboard, type Dashboard } from "./dashboard.ts";
export type { Authorize, DashboardOptions } from "./options.ts";
export type * from "./protocol.ts";
