// A payment API with the idempotency rules of Stripe's API v1, as far as charges and refunds need them:
//   · The first answer of a key is stored, status and body, before it is sent, and is the key's answer for 24 hours.
//   · The same key with other parameters is an `idempotency_error`; one still in flight is a 409.
//   · What failed before execution (validation, a conflict, a rate limit) is not stored: the key can be used again.
// Faults and watched moments come in from outside; without them this is the plain API.

import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as systemSleep } from "node:timers/promises";
import { type FaultPlan, noFaults } from "./faults.ts";
import { answer, header, readBody, reset } from "./http.ts";
import type { Outcome } from "./ledger-file.ts";
import { type Moment, nobodyWatches, type Watch } from "./moments.ts";
import type { ChargeRow, PaymentLedger, StoredAnswer } from "./payment-ledger.ts";
import {
  chargeObject,
  type ErrorObject,
  errorBody,
  invalidCharge,
  invalidKey,
  invalidRefund,
  listQuery,
  refundObject,
} from "./payment-objects.ts";

export interface PaymentServerOptions {
  ledger: PaymentLedger;
  /** Milliseconds since the epoch; the system clock by default. */
  now?: () => number;
  /** How a slow answer waits, in milliseconds; a timer by default. */
  sleep?: (ms: number) => Promise<void>;
  faults?: FaultPlan;
  watch?: Watch;
}

/** One answer, before it is put on the wire. */
interface Answer {
  outcome: Outcome;
  status: number;
  body: string;
  headers?: Record<string, string>;
}

/** What a POST does under the idempotency rules, which are the same for each. */
interface Effect {
  effect: Moment["effect"];
  path: string;
  customer(params: URLSearchParams): string;
  invalid(params: URLSearchParams): ErrorObject | undefined;
  /** The object that the effect makes, as the answer's body, and how it is recorded with that answer. */
  make(params: URLSearchParams): { body: string; record(answer: StoredAnswer | undefined): void };
}

/** Makes the payment API; the result gives a request listener for each door. */
export function createPaymentServer(options: PaymentServerOptions): (door: number) => RequestListener {
  const { ledger, now = Date.now, sleep = systemSleep, faults = noFaults, watch = nobodyWatches } = options;
  /** Fingerprints of requests that are being executed, by key. */
  const inFlight = new Map<string, string>();
  const requestsOf = new Map<string, number>();
  let requests = 0;

  const seconds = (): number => Math.floor(now() / 1000);
  const show = (charge: ChargeRow): Record<string, unknown> =>
    chargeObject(charge, ledger.listRefunds(charge.id));

  const charges: Effect = {
    effect: "charge",
    path: "/v1/charges",
    customer: (params) => params.get("customer") ?? "",
    invalid: invalidCharge,
    make(params) {
      const charge = {
        id: `ch_${randomBytes(12).toString("hex")}`,
        amount: Number(params.get("amount")),
        currency: (params.get("currency") ?? "").toLowerCase(),
        customer: params.get("customer") ?? "",
        created: seconds(),
      };
      const body = JSON.stringify(chargeObject(charge, []));
      return { body, record: (answer) => ledger.record(charge, answer) };
    },
  };

  const refunds: Effect = {
    effect: "refund",
    path: "/v1/refunds",
    customer: (params) => ledger.findCharge(params.get("charge") ?? "")?.customer ?? "",
    invalid(params) {
      const id = params.get("charge") ?? "";
      return invalidRefund(id, ledger.findCharge(id), ledger.listRefunds(id));
    },
    make(params) {
      const charge = params.get("charge") ?? "";
      const amount = ledger.findCharge(charge)?.amount ?? 0;
      const refund = { id: `re_${randomBytes(12).toString("hex")}`, charge, amount, created: seconds() };
      const body = JSON.stringify(refundObject(refund));
      return { body, record: (answer) => ledger.recordRefund(refund, answer) };
    },
  };

  async function post(
    { effect, path, ...of }: Effect,
    request: IncomingMessage,
    response: ServerResponse,
    door: number,
  ): Promise<void> {
    const params = new URLSearchParams(await readBody(request));
    const key = header(request, "idempotency-key");
    const customer = of.customer(params);
    const n = (requestsOf.get(customer) ?? 0) + 1;
    requestsOf.set(customer, n);
    const fault = faults(customer, n);
    const requestId = `req_${randomBytes(7).toString("hex")}`;
    const moment: Omit<Moment, "phase"> = {
      ...{ server: "payment", effect, request: ++requests, door, customer, n },
    };

    await watch({ ...moment, phase: "arrived" });
    const result = await decide();
    ledger.logRequest({
      at: now(),
      door,
      customer,
      idempotencyKey: key ?? null,
      outcome: result.outcome,
    });
    const replayed = result.outcome === "replayed";
    if (result.status === 200) await watch({ ...moment, phase: "executed", replayed });
    if (result.status === 200 && fault.kind === "reset") reset(response);
    else {
      const echo: Record<string, string> = key === undefined ? {} : { "Idempotency-Key": key };
      answer(response, result.status, result.body, { "Request-Id": requestId, ...echo, ...result.headers });
    }
    await watch({ ...moment, phase: "ended" });

    async function decide(): Promise<Answer> {
      if (fault.kind === "rate_limited") {
        const headers = { "Retry-After": String(fault.retryAfterSeconds) };
        const body = errorBody({
          type: "invalid_request_error",
          code: "rate_limit",
          message: "Too many requests: try again later.",
        });
        return { outcome: "rate_limited", status: 429, body, headers };
      }
      if (key === undefined) return execute("");
      const fingerprint = fingerprintOf(path, params);
      const stored = ledger.findAnswer(key, now());
      const first = stored?.fingerprint ?? inFlight.get(key);
      if (first !== undefined && first !== fingerprint) {
        const message =
          `Keys for idempotent requests can only be used with the parameters they were first used with: ` +
          `'${key}' was first used with others. Use another key for another request.`;
        return {
          outcome: "key_mismatch",
          status: 400,
          body: errorBody({ type: "idempotency_error", message }),
        };
      }
      if (stored) return replay(stored);
      if (first !== undefined) {
        const message = `A request with the idempotency key '${key}' is still in progress. Try again later.`;
        const body = errorBody({ type: "invalid_request_error", code: "idempotency_key_in_use", message });
        return { outcome: "key_in_use", status: 409, body };
      }
      inFlight.set(key, fingerprint);
      try {
        return await execute(fingerprint);
      } finally {
        inFlight.delete(key);
      }
    }

    async function execute(fingerprint: string): Promise<Answer> {
      const invalid = invalidKey(key) ?? of.invalid(params);
      if (invalid) return { outcome: "invalid", status: 400, body: errorBody(invalid) };
      if (fault.kind === "server_error") {
        const message = `Something went wrong on our end, before the ${effect} was made.`;
        return { outcome: "server_error", status: 500, body: errorBody({ type: "api_error", message }) };
      }
      if (fault.kind === "slow") {
        await sleep(fault.delayMs);
        // Another key may have done meanwhile what can be done only once.
        const invalidNow = of.invalid(params);
        if (invalidNow) return { outcome: "invalid", status: 400, body: errorBody(invalidNow) };
      }
      const { body, record } = of.make(params);
      record(
        key === undefined ? undefined : { key, fingerprint, status: 200, body, requestId, createdAt: now() },
      );
      return { outcome: "executed", status: 200, body };
    }
  }

  function getCharge(id: string, response: ServerResponse): void {
    const charge = ledger.findCharge(id);
    if (charge) answer(response, 200, JSON.stringify(show(charge)));
    else {
      const message = `No such charge: '${id}'`;
      const type = "invalid_request_error";
      answer(response, 404, errorBody({ type, code: "resource_missing", param: "id", message }));
    }
  }

  function getCharges(params: URLSearchParams, response: ServerResponse): void {
    const query = listQuery(params);
    const found = ledger.listCharges({ ...query, limit: query.limit + 1 });
    const data = found.slice(0, query.limit).map(show);
    const list = { object: "list", url: "/v1/charges", has_more: found.length > query.limit, data };
    answer(response, 200, JSON.stringify(list));
  }

  async function handle(request: IncomingMessage, response: ServerResponse, door: number): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (header(request, "authorization") === undefined) {
      const message = "You did not provide an API key: send one as 'Authorization: Bearer YOUR_SECRET_KEY'.";
      return answer(response, 401, errorBody({ type: "invalid_request_error", message }));
    }
    const effect = [charges, refunds].find(({ path }) => path === url.pathname);
    if (request.method === "POST" && effect) return post(effect, request, response, door);
    const id = /^\/v1\/charges\/([^/]+)$/.exec(url.pathname)?.[1];
    if (request.method === "GET" && id !== undefined) return getCharge(id, response);
    if (request.method === "GET" && url.pathname === "/v1/charges")
      return getCharges(url.searchParams, response);
    const message = `Unrecognized request URL (${request.method}: ${url.pathname}).`;
    answer(response, 404, errorBody({ type: "invalid_request_error", message }));
  }

  return (door) => (request, response) => {
    // A client that dies while it sends leaves nothing to answer; anything else is a fault of the server's own.
    handle(request, response, door).catch((error: unknown) => {
      if (request.complete) throw error;
      response.destroy();
    });
  };
}

function replay(stored: StoredAnswer): Answer {
  const headers = { "Idempotent-Replayed": "true", "Original-Request": stored.requestId };
  return { outcome: "replayed", status: stored.status, body: stored.body, headers };
}

/** The same for the same endpoint and parameters, whatever order the parameters come in. */
function fingerprintOf(endpoint: string, params: URLSearchParams): string {
  const sorted = new URLSearchParams([...params]);
  sorted.sort();
  return createHash("sha256").update(`POST ${endpoint}\n${sorted}`).digest("hex");
}
