/** `perdure/http`: Perdure for HTTP servers. */
export { healthHandler } from "./health.ts";

export { type WebhookHandlerOptions, webhookHandler } from "./webhooks/handler.ts";
export { github, standardWebhooks, stripe, type WebhookSecret } from "./webhooks/verify.ts";
