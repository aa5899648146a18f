import { createHmac, timingSafeEqual } from "node:crypto";
import type { VerifiedMessage, WebhookVerifier } from "@perdure/core";
import { Webhook } from "standardwebhooks";

/**
 * How requests of well-known senders are verified. Signatures are compared in constant time; where a sender signs the time, a
 * request that is older than five minutes, or as far in the future, is refused; and the sender's id of the message is the
 * delivery's idempotency key, so that one which is sent again, by the sender or by a third party, is not a second payload.
 */

/** One secret, or several while they are exchanged: any of them will do. */
export type WebhookSecret = string | readonly string[];

const TOLERANCE_SECONDS = 5 * 60;

/**
 * Verifies requests that are signed by the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and
 * `webhook-signature`.
 *
 * @param secret in base64, with `whsec_` in front or without
 * @throws {TypeError} for a secret that is none
 * @example
 * ```ts
 * using webhook = createWebhook({ verify: standardWebhooks(process.env.WEBHOOK_SECRET ?? "") });
 * ```
 */
export function standardWebhooks(secret: WebhookSecret): WebhookVerifier {
  const verifiers = secretsOf(secret, "standardWebhooks").map((one) => {
    try {
      return new Webhook(one);
    } catch {
      throw new TypeError(
        "standardWebhooks(secret): the secret must be in base64, with whsec_ in front or without.",
      );
    }
  });
  return async (request) => {
    const headers = Object.fromEntries(request.headers);
    const body = await request.text();
    const messageId = headers["webhook-id"];
    if (messageId === undefined) return false;
    const genuine = verifiers.some((verifier) => {
      try {
        verifier.verify(body, headers, { jsonParse: false });
        return true;
      } catch {
        return false;
      }
    });
    return genuine && { messageId };
  };
}

/**
 * Verifies requests that Stripe sends: `Stripe-Signature`.
 *
 * @param secret the endpoint's, `whsec_…`
 * @throws {TypeError} for a secret that is none
 * @example
 * ```ts
 * using webhook = createWebhook({ verify: stripe(process.env.STRIPE_WEBHOOK_SECRET ?? "") });
 * ```
 */
export function stripe(secret: WebhookSecret): WebhookVerifier {
  const secrets = secretsOf(secret, "stripe");
  return async (request) => {
    const parts = (request.headers.get("stripe-signature") ?? "").split(",").map((part) => part.split("="));
    const valuesOf = (name: string): string[] =>
      parts.filter(([key]) => key?.trim() === name).map(([, value = ""]) => value.trim());
    const [time = ""] = valuesOf("t");
    if (!/^\d{1,12}$/.test(time) || Math.abs(Date.now() / 1000 - Number(time)) > TOLERANCE_SECONDS)
      return false;
    const body = new Uint8Array(await request.arrayBuffer());
    const signed = Buffer.concat([Buffer.from(`${time}.`), body]);
    if (!isSigned(signed, valuesOf("v1"), secrets)) return false;
    return messageOf(eventId(body));
  };
}

/**
 * Verifies requests that GitHub sends: `X-Hub-Signature-256`. GitHub signs neither the time nor the delivery's id, so whoever has
 * got hold of a delivery can send it again under another id.
 *
 * @throws {TypeError} for a secret that is none
 * @example
 * ```ts
 * using webhook = createWebhook({ verify: github(process.env.GITHUB_WEBHOOK_SECRET ?? "") });
 * ```
 */
export function github(secret: WebhookSecret): WebhookVerifier {
  const secrets = secretsOf(secret, "github");
  return async (request) => {
    const [scheme, signature = ""] = (request.headers.get("x-hub-signature-256") ?? "").split("=");
    const body = new Uint8Array(await request.arrayBuffer());
    if (scheme !== "sha256" || !isSigned(body, [signature], secrets)) return false;
    return messageOf(request.headers.get("x-github-delivery"));
  };
}

function secretsOf(secret: WebhookSecret, what: string): readonly string[] {
  const secrets: readonly unknown[] = typeof secret === "string" ? [secret] : secret;
  if (
    !Array.isArray(secrets) ||
    secrets.length === 0 ||
    secrets.some((one) => typeof one !== "string" || one === "")
  ) {
    throw new TypeError(
      `${what}(secret): the secret must be a string, or some, and none of them empty. Check that the environment variable is set.`,
    );
  }
  return secrets as readonly string[];
}

/** Whether one of the signatures, in hexadecimal, is that of the bytes under one of the secrets. */
function isSigned(bytes: Uint8Array, signatures: readonly string[], secrets: readonly string[]): boolean {
  const given = signatures.map((signature) => Buffer.from(signature, "hex"));
  return secrets.some((secret) => {
    const expected = createHmac("sha256", secret).update(bytes).digest();
    return given.some((one) => one.length === expected.length && timingSafeEqual(one, expected));
  });
}

/** The `id` of a JSON object. */
function eventId(body: Uint8Array): string | null {
  try {
    const event = JSON.parse(Buffer.from(body).toString("utf8")) as { readonly id?: unknown } | null;
    return typeof event?.id === "string" ? event.id : null;
  } catch {
    return null;
  }
}

function messageOf(messageId: string | null): true | VerifiedMessage {
  return messageId === null || messageId === "" ? true : { messageId };
}
