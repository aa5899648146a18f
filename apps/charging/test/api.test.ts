// The API over HTTP, with the workflows behind it, in one process: what a client sees of its keys.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import Stripe from "stripe";
import { afterAll, beforeAll, expect, it } from "vitest";

let child: ChildProcess;
let api: string;
let payment: string;

beforeAll(async () => {
  child = fork(fileURLToPath(new URL("./processes/all-in-one.ts", import.meta.url)), {
    execArgv: ["--import", "perdure/register"],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
  });
  [{ api, payment }] = (await once(child, "message")) as [{ api: string; payment: string }];
});

afterAll(() => child.kill("SIGKILL"));

const client = { Authorization: "Bearer client 1" };

function charge(key: string, of: Record<string, string>, headers: Record<string, string> = client) {
  return fetch(`${api}/v1/charges`, {
    method: "POST",
    headers: { "Idempotency-Key": key, ...headers },
    body: new URLSearchParams({ currency: "usd", ...of }),
  });
}

function refund(key: string, body: object): Promise<Response> {
  const headers = { "Idempotency-Key": key, "Content-Type": "application/json", ...client };
  return fetch(`${api}/refunds`, { method: "POST", headers, body: JSON.stringify(body) });
}

/** The charges of a customer, as the payment server has them. */
function chargesOf(customer: string): Promise<Stripe.ApiList<Stripe.Charge>> {
  return stripeAt(payment).charges.list({ customer });
}

function stripeAt(url: string): Stripe {
  const { hostname: host, port } = new URL(url);
  return new Stripe("client 1", { host, port, protocol: "http", maxNetworkRetries: 0 });
}

it("charges once for a key that is sent twice and at once", async () => {
  const of = { customer: "cus_1", amount: "4200" };
  const both = await Promise.all([charge("order-1", of), charge("order-1", of)]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  const [busy, made] = both[0].status === 409 ? both : [both[1], both[0]];
  expect(await busy.json()).toMatchObject({ error: { code: "idempotency_key_in_use" } });
  expect(busy.headers.get("retry-after")).toBe("1");
  const again = await charge('"order-1"', of);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(await again.text()).toBe(await made.text());
  expect((await chargesOf("cus_1")).data).toHaveLength(1);
});

it("is Stripe to the official client", async () => {
  const options = { idempotencyKey: "order-2" };
  const params = { amount: 500, currency: "usd", customer: "cus_2" };
  const made = await stripeAt(api).charges.create(params, options);
  expect((await stripeAt(api).charges.create(params, options)).id).toBe(made.id);
  const other = stripeAt(api).charges.create({ ...params, amount: 600 }, options);
  await expect(other).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
  expect((await chargesOf("cus_2")).data.map(({ id }) => id)).toEqual([made.id]);
});

it("keeps two clients' keys apart, and asks for a key and for a client", async () => {
  const of = { customer: "cus_3", amount: "700" };
  const one = await charge("same", of);
  const two = await charge("same", of, { Authorization: "Bearer client 2" });
  expect(two.headers.get("idempotent-replayed")).toBeNull();
  expect(((await two.json()) as { id: string }).id).not.toBe(((await one.json()) as { id: string }).id);
  expect((await fetch(`${api}/v1/charges`, { method: "POST", headers: client, body: "" })).status).toBe(400);
  expect((await charge("k", of, {})).status).toBe(401);
});

it("does not use a key up for a request that is not valid", async () => {
  const invalid = await charge("order-4", { customer: "cus_4", amount: "none" });
  expect(invalid.status).toBe(400);
  expect(await invalid.json()).toMatchObject({ error: { type: "invalid_request_error", param: "amount" } });
  expect((await charge("order-4", { customer: "cus_4", amount: "800" })).status).toBe(200);
});

it("refunds once, and reports", async () => {
  const made = (await (await charge("order-5", { customer: "cus_5", amount: "900" })).json()) as {
    id: string;
  };
  const body = { customer: "cus_5", charge: made.id };
  const first = await refund('"refund-5"', body);
  expect(first.status).toBe(201);
  const again = await refund('"refund-5"', body);
  expect(await again.text()).toBe(await first.text());
  const other = await refund('"refund-5"', { ...body, customer: "cus_1" });
  expect(other.status).toBe(422);
  expect(other.headers.get("content-type")).toBe("application/problem+json");

  const report = await (await fetch(`${api}/customers/cus_5`, { headers: client })).json();
  expect(report).toMatchObject({
    customer: "cus_5",
    charges: [{ id: made.id, amount: 900, refunded: true }],
    runs: [{ status: "completed" }, { status: "completed" }],
  });
  const all = (await (await fetch(`${api}/report`, { headers: client })).json()) as { customers: unknown[] };
  expect(all.customers).toContainEqual(report);
  expect((await fetch(`${api}/customers/cus_none`, { headers: client })).status).toBe(404);
});
