// The shapes of the payment API: the objects of charges and refunds, the error object, and what makes a request's parameters invalid.

import type { ChargeRow, RefundRow } from "./payment-ledger.ts";

export interface ErrorObject {
  type: string;
  code?: string;
  message: string;
  param?: string;
}

/** Stripe's error envelope. */
export function errorBody(error: ErrorObject): string {
  return JSON.stringify({ error });
}

/** The charge as the API shows it, with its refunds. */
export function chargeObject(charge: ChargeRow, refunds: readonly RefundRow[]): Record<string, unknown> {
  const amountRefunded = refunds.reduce((sum, { amount }) => sum + amount, 0);
  return {
    id: charge.id,
    object: "charge",
    amount: charge.amount,
    amount_captured: charge.amount,
    amount_refunded: amountRefunded,
    captured: true,
    created: charge.created,
    currency: charge.currency,
    customer: charge.customer,
    livemode: false,
    paid: true,
    refunded: amountRefunded === charge.amount,
    status: "succeeded",
  };
}

/** The refund as the API shows it. */
export function refundObject(refund: RefundRow): Record<string, unknown> {
  const { id, charge, amount, created } = refund;
  return { id, object: "refund", amount, charge, created, status: "succeeded" };
}

/** Why nothing can be done under this idempotency key, or undefined when something can. */
export function invalidKey(key: string | undefined): ErrorObject | undefined {
  if (key === undefined || key.length <= 255) return undefined;
  const message = `An idempotency key has at most 255 characters; this one has ${key.length}.`;
  return { type: "invalid_request_error", message };
}

/** Why this charge cannot be refunded in full, or undefined when it can. */
export function invalidRefund(
  id: string,
  charge: ChargeRow | undefined,
  refunds: readonly RefundRow[],
): ErrorObject | undefined {
  const type = "invalid_request_error";
  const param = "charge";
  if (id === "")
    return { type, code: "parameter_missing", param, message: `Missing required param: ${param}.` };
  if (!charge) return { type, code: "resource_missing", param, message: `No such charge: '${id}'` };
  if (refunds.length === 0) return undefined;
  return { type, code: "charge_already_refunded", message: `Charge ${id} has already been refunded.` };
}

/** Why a charge with these parameters cannot begin, or undefined when it can. */
export function invalidCharge(params: URLSearchParams): ErrorObject | undefined {
  const type = "invalid_request_error";
  for (const param of ["amount", "currency", "customer"]) {
    if (!params.get(param)) {
      return { type, code: "parameter_missing", param, message: `Missing required param: ${param}.` };
    }
  }
  const amount = params.get("amount") as string;
  if (!/^-?\d+$/.test(amount)) {
    return {
      type,
      code: "parameter_invalid_integer",
      param: "amount",
      message: `Invalid integer: ${amount}`,
    };
  }
  if (Number(amount) < 1) {
    const message = "This value must be greater than or equal to 1.";
    return { type, code: "parameter_invalid_integer", param: "amount", message };
  }
  if (!/^[a-z]{3}$/i.test(params.get("currency") as string)) {
    return { type, param: "currency", message: `Invalid currency: ${params.get("currency")}.` };
  }
  return undefined;
}

/** The list endpoint's parameters: 10 charges unless asked for another number, at most 100. */
export function listQuery(params: URLSearchParams): {
  limit: number;
  customer?: string;
  startingAfter?: string;
} {
  const asked = Number(params.get("limit") ?? 10);
  const limit = Number.isInteger(asked) ? Math.min(Math.max(asked, 1), 100) : 10;
  const customer = params.get("customer");
  const startingAfter = params.get("starting_after");
  return {
    limit,
    ...(customer === null ? {} : { customer }),
    ...(startingAfter === null ? {} : { startingAfter }),
  };
}
