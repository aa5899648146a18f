/** Answers to requests that are not handled, in the form that a mode's clients expect. */

/** Whose forms: those of the IETF draft, or Stripe's. */
export type IdempotencyMode = "ietf" | "stripe";

/** Why a request is not handled, or its answer not given. */
export type RefusalReason =
  | "missing"
  | "unreadable"
  | "in_flight"
  | "mismatch"
  | "too_large"
  | "no_scope"
  | "store_down"
  | "handler_failed"
  | "handler_timed_out"
  | "answer_too_large";

interface Refusal {
  readonly status: number;
  readonly title: string;
  /** Seconds. */
  readonly retryAfter?: number;
  readonly stripe: { readonly status?: number; readonly type: string; readonly code?: string };
}

const REFUSALS: Readonly<Record<RefusalReason, Refusal>> = {
  missing: {
    status: 400,
    title: "Idempotency-Key is missing",
    stripe: { type: "invalid_request_error" },
  },
  unreadable: {
    status: 400,
    title: "Idempotency-Key cannot be read",
    stripe: { type: "invalid_request_error" },
  },
  in_flight: {
    status: 409,
    title: "A request with this Idempotency-Key is being handled",
    retryAfter: 1,
    stripe: { type: "idempotency_error", code: "idempotency_key_in_use" },
  },
  mismatch: {
    status: 422,
    title: "Idempotency-Key was used for another request",
    stripe: { status: 400, type: "idempotency_error" },
  },
  too_large: { status: 413, title: "The request is too large", stripe: { type: "invalid_request_error" } },
  no_scope: { status: 500, title: "The client is not known", stripe: { type: "api_error" } },
  store_down: {
    status: 503,
    title: "The request cannot be handled now",
    retryAfter: 5,
    stripe: { type: "api_error" },
  },
  handler_failed: { status: 500, title: "The request failed", stripe: { type: "api_error" } },
  handler_timed_out: { status: 504, title: "The request took too long", stripe: { type: "api_error" } },
  answer_too_large: {
    status: 500,
    title: "The answer is too large to be kept",
    stripe: { type: "api_error" },
  },
};

/** The answer, with a sentence for whoever reads it. `wait`: how many seconds the client has to wait, where that is not always the same. */
export function refuse(
  mode: IdempotencyMode,
  reason: RefusalReason,
  detail: string,
  wait?: number,
): Response {
  const { status, title, retryAfter = wait, stripe } = REFUSALS[reason];
  const headers = new Headers();
  if (retryAfter !== undefined) headers.set("retry-after", `${retryAfter}`);
  if (mode === "stripe") {
    const { status: theirs = status, ...error } = stripe;
    return Response.json({ error: { ...error, message: detail } }, { status: theirs, headers });
  }
  headers.set("content-type", "application/problem+json");
  return new Response(JSON.stringify({ title, status, detail }), { status, headers });
}
