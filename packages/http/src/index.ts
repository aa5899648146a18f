/** `perdure/http`: Perdure for HTTP servers. */
export { type DrainHandlerOptions, drainHandler } from "./drain.ts";
export { healthHandler } from "./health.ts";

export { type ExpressRequest, idempotentExpress } from "./idempotency/adapters/express.ts";
export {
  type FastifyReplyLike,
  type FastifyRequestLike,
  idempotentFastify,
} from "./idempotency/adapters/fastify.ts";
export { type HonoContext, idempotentHono } from "./idempotency/adapters/hono.ts";
export { idempotentNext } from "./idempotency/adapters/next.ts";
export { idempotent } from "./idempotency/idempotent.ts";
export type { IdempotencyContext, IdempotentHandler } from "./idempotency/layer.ts";
export type { IdempotentOptions } from "./idempotency/options.ts";
export type { IdempotencyMode } from "./idempotency/refusals.ts";
export { type WebhookHandlerOptions, webhookHandler } from "./webhooks/handler.ts";
export { github, standardWebhooks, stripe, type WebhookSecret } from "./webhooks/verify.ts";
