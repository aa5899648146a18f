import { processWide } from "../process-wide.ts";
import { decode, registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "../serialization/index.ts";
import { type HookParts, WorkflowHook } from "./hook.ts";

/** Webhooks: hooks whose payloads are requests. What the HTTP side must know of one is what is shown of it, {@link WebhookFacts}. */

/** What a verifier tells of a genuine request. */
export interface VerifiedMessage {
  /** The sender's id of the message: of two requests with one id the workflow gets one. */
  readonly messageId: string;
}

/**
 * Tells whether a request is genuine. It gets a copy of the request and may read its body. A falsy answer, and an error that it
 * throws, mean that it is not.
 */
export type WebhookVerifier = (
  request: Request,
) => boolean | null | VerifiedMessage | Promise<boolean | null | VerifiedMessage>;

/** What is shown of a webhook. Of `verify` it says only that there is one: a secret must not be stored. */
export interface WebhookFacts {
  readonly url: string;
  readonly respondWith?: Response | "manual";
  /** In upper case. */
  readonly methods?: readonly string[];
  readonly verified: boolean;
  readonly metadata: unknown;
}

/** Whether what has this id is a webhook: other hooks are not reached by HTTP. */
export function isWebhookId(id: string): boolean {
  return id.startsWith("webhook_");
}

/** What is shown of a webhook, decoded; each call gives a response of its own. */
export function webhookFacts(data: Uint8Array | null): WebhookFacts {
  return decode(data) as WebhookFacts;
}

/** Not part of what a workflow sees of a webhook. */
const verifiers: WeakMap<object, WebhookVerifier> = processWide("webhook-verifiers", () => new WeakMap());

/** The implementation of the webhooks that workflows have. */
export class WorkflowWebhook<T = unknown, Owner = unknown> extends WorkflowHook<T, Owner> {
  readonly url: string;

  constructor(parts: HookParts<Owner>, url: string, verify: WebhookVerifier | undefined) {
    super(parts);
    this.url = url;
    if (verify !== undefined) verifiers.set(this, verify);
  }

  /** How a webhook verifies its requests, if it does. */
  static verifierOf(hook: WorkflowHook): WebhookVerifier | undefined {
    return verifiers.get(hook);
  }
}

// As a hook does, with its URL.
Object.defineProperties(WorkflowWebhook, {
  [WORKFLOW_SERIALIZE]: { value: ({ token, url }: WorkflowWebhook) => ({ token, url }) },
  [WORKFLOW_DESERIALIZE]: { value: (reach: unknown) => reach },
});
registerClass("perdure/Webhook", WorkflowWebhook);
