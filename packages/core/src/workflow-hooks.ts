import { Run } from "./api/run.ts";
import { currentExecution } from "./context.ts";
import { parseDuration } from "./duration.ts";
import type { Hook, HookOptions, RequestWithResponse, Webhook, WebhookOptions } from "./hooks.ts";
import type { Execution } from "./interpreter/execution.ts";
import { WorkflowHook } from "./interpreter/hook.ts";
import { createHookIn } from "./interpreter/kinds/hook.ts";
import { type WebhookFacts, WorkflowWebhook, webhookFacts } from "./interpreter/webhook.ts";
import { checkOptionNames, type OptionNames } from "./option-names.ts";
import { webhookUrl } from "./public-address.ts";
import { afterReading, encode, UnreadBody } from "./serialization/index.ts";
import { runsOf } from "./workflow-runs.ts";

/** Hooks and webhooks, as workflow functions create them. */

const RETENTION = "createHook({ experimental_minRetention })";
const HOOK_OPTIONS: OptionNames<HookOptions> = {
  token: true,
  metadata: true,
  experimental_minRetention: true,
  isWebhook: true,
};
const WEBHOOK_OPTIONS: OptionNames<WebhookOptions> = {
  token: true,
  respondWith: true,
  method: true,
  verify: true,
  metadata: true,
};

/**
 * Creates a hook: a promise of this run that others resolve with `resumeHook(token, payload)`, any number of times.
 *
 * @throws {ContextError} outside a workflow, {@link SerializationError} for metadata that cannot be stored
 * @example
 * ```ts
 * using approval = createHook<{ ok: boolean }>({ token: `approval:${orderId}` });
 * const { ok } = await approval;
 * ```
 */
export function createHook<T = unknown>(options: HookOptions = {}): Hook<T> {
  checkOptionNames("createHook()", options, HOOK_OPTIONS);
  const { token, metadata, experimental_minRetention: retention, isWebhook = false } = options;
  if (typeof isWebhook !== "boolean") {
    throw new TypeError(`createHook({ isWebhook }): must be true or false, got ${String(isWebhook)}.`);
  }
  if (isWebhook) {
    if (retention !== undefined) {
      throw new TypeError(`${RETENTION}: a webhook's token is not kept. Leave it out, or isWebhook.`);
    }
    return createWebhook({ metadata, ...(token !== undefined && { token }) }) as Hook as Hook<T>;
  }
  checkToken(token, "createHook");
  const execution = currentExecution("createHook()");
  const data = encode(metadata, "metadata");
  return createHookIn<T, Run, WorkflowHook<T, Run>>(execution, {
    kind: "hook",
    token,
    canAdopt: () => true,
    shown: () => data,
    freeAt: retention === undefined ? 0 : parseDuration(retention, execution.clock, RETENTION),
    ownerOf: ownerIn(execution),
    make: (parts) => new WorkflowHook(parts),
  });
}

/**
 * Creates a webhook: a hook whose payloads are the HTTP requests that are sent to its `url`, where `webhookHandler()` of
 * `perdure/http` or `resumeWebhook()` takes them.
 *
 * @throws {ContextError} outside a workflow, `TypeError` for an option that cannot be meant
 * @example
 * ```ts
 * using webhook = createWebhook({ method: "POST" });
 * await notify({ id: webhook.url });
 * const paid = await (await webhook).json();
 * ```
 */
export function createWebhook(
  options: WebhookOptions & { readonly respondWith: "manual" },
): Webhook<RequestWithResponse>;
export function createWebhook(options?: WebhookOptions): Webhook;
export function createWebhook(options: WebhookOptions = {}): Webhook {
  checkOptionNames("createWebhook()", options, WEBHOOK_OPTIONS);
  const { token, respondWith, method, verify, metadata } = options;
  checkToken(token, "createWebhook");
  checkResponse(respondWith);
  if (verify !== undefined && typeof verify !== "function") {
    throw new TypeError(`createWebhook({ verify }): must be a function, got ${typeof verify}.`);
  }
  const execution = currentExecution("createWebhook()");
  const facts: Omit<WebhookFacts, "url"> = {
    ...(respondWith !== undefined && { respondWith }),
    ...(method !== undefined && { methods: methodsOf(method) }),
    verified: verify !== undefined,
    metadata,
  };
  const url = (of: string, known: Uint8Array | null): string =>
    known === null ? webhookUrl(of) : webhookFacts(known).url;
  const isSame = (known: Uint8Array | null): boolean =>
    known !== null && webhookFacts(known).verified === facts.verified;
  return createHookIn<Request, Run, WorkflowWebhook<Request, Run>>(execution, {
    kind: "webhook",
    token,
    canAdopt: isSame,
    shown(of, known) {
      const value: WebhookFacts = { url: url(of, known), ...facts };
      // A replay waits for a body where the live run waited, so that both ask in one order.
      const encoded = (): Uint8Array | null => {
        const anew = encode(value, "createWebhook()");
        return known !== null && isSame(known) ? known : anew;
      };
      try {
        return encoded();
      } catch (error) {
        if (!(error instanceof UnreadBody)) throw error;
        return afterReading(error, encoded);
      }
    },
    freeAt: 0,
    ownerOf: ownerIn(execution),
    make: (parts, known) => new WorkflowWebhook(parts, url(parts.token, known), verify),
  });
}

function ownerIn(execution: Execution): (runId: string) => Run {
  return (runId) => new Run(runsOf(execution), runId);
}

function checkToken(token: unknown, what: string): void {
  if (token !== undefined && (typeof token !== "string" || token === "" || token.length > 255)) {
    throw new TypeError(`${what}({ token }): must be a string of 1 to 255 characters, got ${String(token)}.`);
  }
}

function checkResponse(respondWith: unknown): void {
  if (respondWith === undefined || respondWith === "manual") return;
  if (!(respondWith instanceof Response)) {
    throw new TypeError(
      `createWebhook({ respondWith }): must be a Response or "manual", got ${JSON.stringify(respondWith) ?? typeof respondWith}.`,
    );
  }
}

function methodsOf(method: unknown): readonly string[] {
  const methods: readonly unknown[] = Array.isArray(method) ? method : [method];
  if (methods.length === 0 || methods.some((name) => typeof name !== "string" || !/^[\w-]+$/.test(name))) {
    throw new TypeError(
      `createWebhook({ method }): must be a method such as "POST", or some, got ${JSON.stringify(method)}.`,
    );
  }
  return methods.map((name) => String(name).toUpperCase());
}
