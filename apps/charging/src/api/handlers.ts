// What the API does for a request that nobody has answered yet: it checks it, starts the run, and answers with the run's
// result. It may be called again for the same request, by another process: the start's key is the request's.

import { type Run, type StartOptions, start } from "perdure/api";
import { chargeOrder, refundOrder } from "../workflows/orders.ts";

/**
 * Answers a request. `startKey` is the key of the run that the request starts, the same whenever the request is handled again; absent
 * where nothing before the handler gives one. A request that cannot be carried out is thrown as its answer: its key is not used up.
 */
export type Handler = (request: Request, startKey?: string) => Promise<Response>;

/** `POST /v1/charges`, as Stripe has it: a form with `amount`, `currency` and `customer`. */
export const postCharge: Handler = async (request, startKey) => {
  const form = new URLSearchParams(await request.text());
  const customer = form.get("customer") ?? "";
  const amount = Number(form.get("amount"));
  if (customer === "") throw stripeError(400, "customer", "Missing required param: customer.");
  if (!Number.isInteger(amount) || amount < 1) throw stripeError(400, "amount", "Invalid integer.");
  if (form.get("currency") !== "usd") throw stripeError(400, "currency", "Only usd is charged here.");
  const run = await start(chargeOrder, [customer, amount], optionsOf(customer, startKey));
  const charged = await resultOf(run);
  if ("failure" in charged) return stripeError(500, undefined, charged.failure);
  const id = charged.result.chargeId;
  return Response.json({ id, object: "charge", amount, currency: "usd", customer, status: "succeeded" });
};

/** `POST /refunds`, our own: JSON with `customer` and `charge`, answered 201, and problems by RFC 9457. */
export const postRefund: Handler = async (request, startKey) => {
  const { customer, charge } = (await request.json().catch(() => ({}))) as Record<string, unknown>;
  if (typeof customer !== "string" || typeof charge !== "string") {
    throw problem(400, "The body must be JSON with customer and charge.");
  }
  const run = await start(refundOrder, [customer, charge], optionsOf(customer, startKey));
  const refunded = await resultOf(run);
  if ("failure" in refunded) return problem(500, refunded.failure);
  return Response.json({ id: refunded.result.refundId, customer, charge }, { status: 201 });
};

function optionsOf(customer: string, startKey: string | undefined): StartOptions {
  return { attributes: { customer }, ...(startKey !== undefined && { idempotencyKey: startKey }) };
}

async function resultOf<T>(run: Run<T>): Promise<{ result: T } | { failure: string }> {
  try {
    return { result: await run.returnValue };
  } catch (error) {
    // Where the store is at fault rather than the run, nobody knows an answer yet: the client asks again.
    if ((await run.status) !== "failed") throw error;
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

function stripeError(status: number, param: string | undefined, message: string): Response {
  const type = status === 500 ? "api_error" : "invalid_request_error";
  return Response.json({ error: { type, message, ...(param !== undefined && { param }) } }, { status });
}

function problem(status: number, detail: string): Response {
  const body = JSON.stringify({ title: status === 400 ? "Invalid refund" : "Refund failed", status, detail });
  return new Response(body, { status, headers: { "Content-Type": "application/problem+json" } });
}
