// The payment server against the official client: what Stripe promises about idempotency keys, one test per promise.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Stripe from "stripe";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Fault } from "../src/servers/faults.ts";
import { type Listening, listen } from "../src/servers/http.ts";
import { keyLifetimeMs, openPaymentLedger, type PaymentLedger } from "../src/servers/payment-ledger.ts";
import { createPaymentServer } from "../src/servers/payment-server.ts";

let dir: string;
let ledger: PaymentLedger;
let listening: Listening;
let stripe: Stripe;
let now: number;
let faults: Fault[];
let sleeping: (() => void)[];

const charge = { amount: 1999, currency: "usd", customer: "cus_001" };

/** A client that retries nothing, except for one closed connection, which it always retries. */
function client(url: string): Stripe {
  const { hostname, port } = new URL(url);
  return new Stripe("sk_test_demo", { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });
}

const charges = (): Promise<Stripe.Charge[]> => stripe.charges.list().autoPagingToArray({ limit: 1000 });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "charging-test-"));
  ledger = openPaymentLedger(join(dir, "payment.db"));
  now = Date.UTC(2026, 10, 24);
  faults = [];
  sleeping = [];
  const server = createPaymentServer({
    ledger,
    now: () => now,
    faults: () => faults.shift() ?? { kind: "none" },
    sleep: () => new Promise((resolve) => sleeping.push(resolve)),
  });
  listening = await listen(1, server);
  stripe = client(listening.urls[0] as string);
});

afterEach(async () => {
  await listening.close();
  ledger.close();
  rmSync(dir, { recursive: true });
});

describe("a key that was answered", () => {
  it("gives the first answer again, byte for byte, and makes no second charge", async () => {
    const post = () =>
      fetch(`${listening.urls[0]}/v1/charges`, {
        method: "POST",
        headers: { Authorization: "Bearer sk_test_demo", "Idempotency-Key": "k1" },
        body: new URLSearchParams({ amount: "1999", currency: "usd", customer: "cus_001" }),
      });
    const first = await post();
    now += 60_000;
    const second = await post();
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    expect(second.headers.get("original-request")).toBe(first.headers.get("request-id"));
    expect(second.status).toBe(200);
    expect(await second.text()).toBe(await first.text());
    expect(await charges()).toHaveLength(1);
  });

  it("is replayed to the official client too, and to parameters in another order", async () => {
    const first = await stripe.charges.create(charge, { idempotencyKey: "k1" });
    const { customer, currency, amount } = charge;
    const second = await stripe.charges.create({ customer, currency, amount }, { idempotencyKey: "k1" });
    expect(second.id).toBe(first.id);
    expect(second.lastResponse.headers["idempotent-replayed"]).toBe("true");
  });

  it("refuses other parameters with an idempotency_error", async () => {
    await stripe.charges.create(charge, { idempotencyKey: "k1" });
    const other = stripe.charges.create({ ...charge, amount: 2000 }, { idempotencyKey: "k1" });
    await expect(other).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    await expect(other).rejects.toMatchObject({ statusCode: 400, rawType: "idempotency_error" });
    expect(await charges()).toHaveLength(1);
  });

  it("is free again after 24 hours, and not before", async () => {
    const first = await stripe.charges.create(charge, { idempotencyKey: "k1" });
    now += keyLifetimeMs - 1;
    expect((await stripe.charges.create(charge, { idempotencyKey: "k1" })).id).toBe(first.id);
    now += 1;
    expect((await stripe.charges.create(charge, { idempotencyKey: "k1" })).id).not.toBe(first.id);
    expect(await charges()).toHaveLength(2);
  });

  it("outlives the server: the answer is in the ledger with the charge", async () => {
    const first = await stripe.charges.create(charge, { idempotencyKey: "k1" });
    await listening.close();
    ledger.close();
    ledger = openPaymentLedger(join(dir, "payment.db"));
    listening = await listen(1, createPaymentServer({ ledger, now: () => now }));
    stripe = client(listening.urls[0] as string);
    expect((await stripe.charges.create(charge, { idempotencyKey: "k1" })).id).toBe(first.id);
  });
});

describe("a key in flight", () => {
  it("answers 409 to a second request until the first is done, and 400 when that one differs", async () => {
    faults = [{ kind: "slow", delayMs: 50 }];
    const first = stripe.charges.create(charge, { idempotencyKey: "k1" });
    await vi.waitUntil(() => sleeping.length === 1, 10_000);
    await expect(stripe.charges.create(charge, { idempotencyKey: "k1" })).rejects.toMatchObject({
      statusCode: 409,
      code: "idempotency_key_in_use",
    });
    await expect(
      stripe.charges.create({ ...charge, amount: 1 }, { idempotencyKey: "k1" }),
    ).rejects.toMatchObject({ statusCode: 400, rawType: "idempotency_error" });
    const other = await stripe.charges.create(charge, { idempotencyKey: "k2" });
    for (const wake of sleeping) wake();
    expect((await first).id).not.toBe(other.id);
    expect((await stripe.charges.create(charge, { idempotencyKey: "k1" })).id).toBe((await first).id);
  });
});

describe("a request that failed before execution", () => {
  it("does not burn the key: invalid parameters", async () => {
    const invalid = stripe.charges.create({ ...charge, amount: 0 }, { idempotencyKey: "k1" });
    await expect(invalid).rejects.toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
    await expect(invalid).rejects.toMatchObject({ statusCode: 400, param: "amount" });
    const { id } = await stripe.charges.create(charge, { idempotencyKey: "k1" });
    expect((await charges()).map((row) => row.id)).toEqual([id]);
  });

  it("does not burn the key: a rate limit, which is decided first and says when to come back", async () => {
    faults = [{ kind: "none" }, { kind: "rate_limited", retryAfterSeconds: 2 }];
    const first = await stripe.charges.create(charge, { idempotencyKey: "k1" });
    const limited = stripe.charges.create(charge, { idempotencyKey: "k1" });
    await expect(limited).rejects.toBeInstanceOf(Stripe.errors.StripeRateLimitError);
    await expect(limited).rejects.toMatchObject({ statusCode: 429, headers: { "retry-after": "2" } });
    expect((await stripe.charges.create(charge, { idempotencyKey: "k1" })).id).toBe(first.id);
  });

  it("does not burn the key: an error of the server", async () => {
    faults = [{ kind: "server_error" }];
    await expect(stripe.charges.create(charge, { idempotencyKey: "k1" })).rejects.toMatchObject({
      statusCode: 500,
    });
    await stripe.charges.create(charge, { idempotencyKey: "k1" });
    expect(await charges()).toHaveLength(1);
  });
});

describe("a connection reset after the charge was made", () => {
  const post = (headers: Record<string, string>) =>
    fetch(`${listening.urls[0]}/v1/charges`, {
      method: "POST",
      headers: { Authorization: "Bearer sk_test_demo", ...headers },
      body: new URLSearchParams({ amount: "1999", currency: "usd", customer: "cus_001" }),
    });

  it("leaves one charge, which a retry with the key gets", async () => {
    faults = [{ kind: "reset", when: "after" }];
    await expect(post({ "Idempotency-Key": "k1" })).rejects.toThrow("fetch failed");
    const [made] = await charges();
    const retried = (await (await post({ "Idempotency-Key": "k1" })).json()) as { id: string };
    expect(retried.id).toBe(made?.id);
    expect(await charges()).toHaveLength(1);
  });

  it("makes a second charge when the retry has no key", async () => {
    faults = [{ kind: "reset", when: "after" }];
    await expect(post({})).rejects.toThrow("fetch failed");
    await post({});
    expect(await charges()).toHaveLength(2);
  });

  it("is retried by the official client itself, with the key it was given", async () => {
    faults = [{ kind: "reset", when: "after" }];
    const { id } = await stripe.charges.create(charge, { idempotencyKey: "k1" });
    expect((await charges()).map((row) => row.id)).toEqual([id]);
  });
});

describe("reading", () => {
  it("gives one charge by its id, and a 404 for another", async () => {
    const made = await stripe.charges.create(charge);
    expect(await stripe.charges.retrieve(made.id)).toMatchObject({ id: made.id, amount: 1999 });
    await expect(stripe.charges.retrieve("ch_none")).rejects.toMatchObject({
      statusCode: 404,
      code: "resource_missing",
    });
  });

  it("lists all charges, newest first, over several pages, and those of one customer", async () => {
    for (let i = 0; i < 13; i++) await stripe.charges.create({ ...charge, customer: `cus_${i % 3}` });
    const all = await charges();
    expect(all).toHaveLength(13);
    expect(all.at(-1)?.customer).toBe("cus_0");
    expect((await stripe.charges.list({ customer: "cus_1" })).data).toHaveLength(4);
  });

  it("asks for an API key", async () => {
    const response = await fetch(`${listening.urls[0]}/v1/charges`);
    expect(response.status).toBe(401);
  });
});
