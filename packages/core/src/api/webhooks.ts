import type { Clock } from "../clock.ts";
import { type Duration, parseDuration } from "../duration.ts";
import { HookNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import {
  isWebhookId,
  type VerifiedMessage,
  type WebhookFacts,
  type WebhookVerifier,
  webhookFacts,
} from "../interpreter/webhook.ts";
import { hookName } from "../names.ts";
import type { OptionNames } from "../option-names.ts";
import { answerable, bytesOf, MAX_BODY_BYTES as LARGEST_BODY, rememberBody } from "../serialization/index.ts";
import { answerTo } from "../webhook-replies.ts";
import type { HeldName, World } from "../world/index.ts";
import type { WebhookVerifiers } from "./webhook-verifier.ts";

/**
 * Requests to webhooks: from the request that a server got to the response that it sends. Nothing is delivered before the request
 * is known to be for a webhook, of a method that it takes, not too large, and genuine.
 */

/** Options of `resumeWebhook`. */
export interface ResumeWebhookOptions {
  /** The World of the run. Default: that of the process. */
  readonly world?: World;
  /** A request with a larger body is answered with 413. Default 4 MiB; at most 8 MiB. */
  readonly maxBodyBytes?: number;
  /** How long a workflow that answers itself is waited for; then it is 504. The request stays delivered. Default 30 seconds. */
  readonly timeout?: Duration;
}

/** What taking a request is told of them. */
export type TakeOptions = Omit<ResumeWebhookOptions, "world">;

/** Its names. */
export const RESUME_WEBHOOK_OPTIONS: OptionNames<ResumeWebhookOptions> = {
  world: true,
  maxBodyBytes: true,
  timeout: true,
};

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const TIMEOUT = 30_000;

/** What taking a request needs of a client. */
export interface WebhookTerms {
  readonly world: World;
  readonly clock: Clock;
  readonly verifiers: WebhookVerifiers;
  /** A message id: derived from the sender's, or a new one. */
  readonly messageId: (key: string | undefined) => string;
  /** @throws {HookNotFoundError} if the webhook is gone */
  readonly deliver: (messageId: string, request: Request) => Promise<void>;
}

/** A request as it was passed; its body is read later, once. */
export interface TakenRequest extends Pick<Request, "url" | "method" | "headers"> {
  readonly holder: Request;
}

/** Takes what is known of a request at once. */
export function takenRequest(holder: Request): TakenRequest {
  return { url: holder.url, method: holder.method, headers: new Headers(holder.headers), holder };
}

/** Takes a request. @throws {HookNotFoundError} if no live webhook has the token */
export async function takeRequest(
  token: string,
  request: TakenRequest,
  options: TakeOptions,
  terms: WebhookTerms,
): Promise<Response> {
  const { world, clock } = terms;
  const { maxBodyBytes = MAX_BODY_BYTES, timeout = TIMEOUT } = options;
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 0 || maxBodyBytes > LARGEST_BODY) {
    throw new TypeError(
      `resumeWebhook({ maxBodyBytes }): must be a whole number of at most ${LARGEST_BODY}, got ${String(maxBodyBytes)}.`,
    );
  }
  const until = parseDuration(timeout, clock.now(), "resumeWebhook({ timeout })");
  const [name] = await world.getNames([hookName(token)], clock.now());
  if (name === null || name === undefined || !isWebhookId(name.id)) throw new HookNotFoundError(token);
  const facts = webhookFacts(name.data);
  const { methods, respondWith } = facts;
  if (methods !== undefined && !methods.includes(request.method)) {
    return new Response(null, { status: 405, headers: { allow: methods.join(", ") } });
  }
  if (respondWith === "manual" && world.capabilities.streams !== true) {
    throw new WorkflowRuntimeError(
      `createWebhook({ respondWith: "manual" }) needs a World with streams, and "${world.name}" has none.`,
    );
  }
  const length = Number(request.headers.get("content-length") ?? 0);
  const body = length > maxBodyBytes ? "too large" : await bytesOf(request.holder, maxBodyBytes);
  if (body === "too large") return new Response(null, { status: 413 });
  const copy = (): Request => copyOf(request, body);
  const verified = await verdictOf(facts, name, copy, terms.verifiers);
  if (verified === null) return new Response(null, { status: 401 });
  const messageId = terms.messageId(verified.messageId);
  const address = { runId: name.runId, id: messageId };
  const payload = copy();
  await terms.deliver(messageId, respondWith === "manual" ? answerable(payload, address) : payload);
  if (respondWith === undefined) return new Response(null, { status: 202 });
  if (respondWith !== "manual") return respondWith;
  return (await answerTo(world, address, clock, until)) ?? new Response(null, { status: 504 });
}

function copyOf({ url, method, headers }: TakenRequest, body: Uint8Array<ArrayBuffer> | null): Request {
  const copy = new Request(url, { method, headers: [...headers], body });
  rememberBody(copy, body);
  return copy;
}

/** What is known of a genuine request; `null` for one that is not. */
async function verdictOf(
  { verified }: WebhookFacts,
  name: HeldName,
  copy: () => Request,
  verifiers: WebhookVerifiers,
): Promise<Partial<VerifiedMessage> | null> {
  if (!verified) return {};
  const verify = await verifiers.of(name);
  const verdict = await judge(verify, copy());
  if (verdict === true) return {};
  return typeof verdict === "object" && typeof verdict?.messageId === "string" ? verdict : null;
}

async function judge(verify: WebhookVerifier, request: Request): Promise<boolean | VerifiedMessage | null> {
  try {
    return await verify(request);
  } catch {
    return false;
  }
}
