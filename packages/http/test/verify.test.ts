import { createHmac } from "node:crypto";
import type { WebhookVerifier } from "@perdure/core";
import { github, standardWebhooks, stripe } from "@perdure/http";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { expect, test } from "vitest";

// How requests of well-known senders are verified. The signatures are made by the senders' own libraries.

const KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BODY = '{"id":"evt_1","text":"Grüße 🎉"}';
const MINUTE = 60_000;

const ask = (verify: WebhookVerifier, headers: Record<string, string>, body = BODY) =>
  verify(new Request("https://a/", { method: "POST", headers, body }));

function signed(secret: string, age = 0, body = BODY): Record<string, string> {
  const at = new Date(Date.now() - age);
  return {
    "webhook-id": "msg_1",
    "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
    "webhook-signature": new Webhook(secret).sign("msg_1", at, body),
  };
}

test("Standard Webhooks: signature, time, id", async () => {
  const verify = standardWebhooks(KEY);
  const id = { messageId: "msg_1" };
  expect(await ask(verify, signed(KEY))).toEqual(id);
  expect(await ask(verify, signed(KEY, 4 * MINUTE))).toEqual(id);
  expect(await ask(verify, signed(KEY, 6 * MINUTE))).toBe(false);
  expect(await ask(verify, signed(KEY, -6 * MINUTE))).toBe(false);
  expect(await ask(verify, signed(KEY), `${BODY} `)).toBe(false);
  expect(await ask(verify, { ...signed(KEY), "webhook-id": "msg_2" })).toBe(false);
  expect(await ask(verify, signed(OTHER))).toBe(false);
  expect(await ask(verify, {})).toBe(false);
  const rotated = `${signed(OTHER)["webhook-signature"]} ${signed(KEY)["webhook-signature"]}`;
  expect(await ask(verify, { ...signed(KEY), "webhook-signature": rotated })).toEqual(id);
  expect(await ask(standardWebhooks([OTHER, KEY]), signed(KEY))).toEqual(id);
});

function stripeSigned(secret: string, age = 0, payload = BODY): Record<string, string> {
  const timestamp = Math.floor((Date.now() - age) / 1000);
  const header = new Stripe("sk_test_x").webhooks.generateTestHeaderString({ payload, secret, timestamp });
  return { "stripe-signature": header };
}

test("Stripe: signature, time, the event's id", async () => {
  const verify = stripe(KEY);
  expect(await ask(verify, stripeSigned(KEY))).toEqual({ messageId: "evt_1" });
  expect(await ask(verify, stripeSigned(KEY, 6 * MINUTE))).toBe(false);
  expect(await ask(verify, stripeSigned(KEY, -6 * MINUTE))).toBe(false);
  expect(await ask(verify, stripeSigned(KEY), `${BODY} `)).toBe(false);
  expect(await ask(verify, stripeSigned(OTHER))).toBe(false);
  expect(await ask(verify, {})).toBe(false);
  expect(await ask(verify, { "stripe-signature": "t=,v1=" })).toBe(false);
  const { "stripe-signature": header = "" } = stripeSigned(KEY);
  expect(await ask(verify, { "stripe-signature": header.replace(/t=\d/, "t=2") })).toBe(false);
  expect(await ask(verify, { "stripe-signature": header.replace("v1=", "v1=00,v1=") })).toEqual({
    messageId: "evt_1",
  });
  expect(await ask(verify, stripeSigned(KEY, 0, "[]"), "[]")).toBe(true);
});

test("GitHub: signature and the delivery's id", async () => {
  // The values are those of GitHub's documentation of its signatures.
  const verify = github("It's a Secret to Everybody");
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const headers = { "x-hub-signature-256": signature, "x-github-delivery": "72d3162e" };
  expect(await ask(verify, headers, "Hello, World!")).toEqual({ messageId: "72d3162e" });
  expect(await ask(verify, headers, "Hello, world!")).toBe(false);
  expect(await ask(github("another"), headers, "Hello, World!")).toBe(false);
  expect(await ask(verify, { "x-github-delivery": "72d3162e" }, "Hello, World!")).toBe(false);
  const sha1 = createHmac("sha1", "It's a Secret to Everybody").update("Hello, World!").digest("hex");
  expect(await ask(verify, { "x-hub-signature": `sha1=${sha1}` }, "Hello, World!")).toBe(false);
});

test.each([
  ["standardWebhooks", standardWebhooks],
  ["stripe", stripe],
  ["github", github],
])("%s is refused a secret that is none, and does not print it", (name, scheme) => {
  for (const secret of ["", [], undefined as unknown as string, [""]]) {
    expect(() => scheme(secret)).toThrow(new RegExp(`^${name}\\(secret\\)`));
  }
});

test("a secret that is not in base64 is not printed", () => {
  expect(() => standardWebhooks("pässword")).toThrow(/^standardWebhooks\(secret\): (?!.*pässword)/);
});
