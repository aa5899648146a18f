// What the API does for a request that nobody has answered yet: it checks it, starts the run, and answers with the run's
// result. It may be called again for the same request, by another process: the start's key is the request's.

import { type Run, start } from "perdure/api";
import { chargeOrder, refundOrder } from "../workflows/orders.ts";

/** What the guard before a handler tells it. */
export interface Call {
  /** The run's key. Absent where the guard gives no such promise. */
  startKey: string | undefined;
  /** From here on the request counts as executed, and its answer is kept, whatever it is. */
  begin(): void;
}

export type Handler = (request: Request, call: Call) => Promise<Response>;

/** `POST /v1/charges`, as Stripe has it: a form with `amount`, `currency` and `customer`. */
export const postCharge: Handler = async (request, call) => {
  const form = new URLSearchParams(await request.text());
  const customer = form.get("customer") ?? "";
  const amount = Number(form.get("amount"));
  if (customer === "") return stripeError(400, "customer", "Missing required param: customer.");
  if (!Number.isInteger(amount) || amount < 1) return stripeError(400, "amount", "Invalid integer.");
  if (form.get("currency") !== "usd") return stripeError(400, "currency", "Only usd is charged here.");
  call.begin();
  const run = await start(chargeOrder, [customer, amount], optionsOf(customer, call));
  const charged = await resultOf(run);
  if ("failure" in charged) return stripeError(500, undefined, charged.failure);
  const id = charged.result.chargeId;
  return Response.json({ id, object: "charge", amount, currency: "usd", customer, status: "succeeded" });
};

/** `POST /refunds`, our own: JSON with `customer` and `charge`, answered 201, and problems by RFC 9457. */
export const postRefund: Handler = async (request, call) => {
  const { customer, charge } = (await request.json().catch(() => ({}))) as Record<string, unknown>;
  if (typeof customer !== "string" || typeof charge !== "string") {
    return problem(400, "The body must be JSON with customer and charge.");
  }
  call.begin();
  const run = await start(refundOrder, [customer, charge], optionsOf(customer, call));
  const refunded = await resultOf(run);
  if ("failure" in refunded) return problem(500, refunded.failure);
  return Response.json({ id: refunded.result.refundId, customer, charge }, { status: 201 });
};

function optionsOf(customer: string, { startKey }: Call) {
  return { attributes: { customer }, ...(startKey !== undefined && { idempotencyKey: startKey }) };
}

async function resultOf<T>(run: Run<T>): Promise<{ result: T } | { failure: string }> {
  try {
    return { result: await run.returnValue };
  } catch (error) {
    // The store or this process may be at fault rather than the run: then nobody knows an answer yet.
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
