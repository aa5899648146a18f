// An API of our own that sends receipts, made idempotent in the simplest way there is: a unique constraint on the key.
// The same key again gets the first receipt; the same key for another receipt is a 422.

import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type FaultPlan, noFaults } from "./faults.ts";
import { answer, header, readBody, reset } from "./http.ts";
import type { Outcome } from "./ledger-file.ts";
import { type Moment, nobodyWatches, type Watch } from "./moments.ts";
import type { ReceiptRow, ReceiptsLedger } from "./receipts-ledger.ts";

export interface ReceiptsServerOptions {
  ledger: ReceiptsLedger;
  faults?: FaultPlan;
  watch?: Watch;
}

/** Makes the receipts API; the result gives a request listener for each door. */
export function createReceiptsServer(options: ReceiptsServerOptions): (door: number) => RequestListener {
  const { ledger, faults = noFaults, watch = nobodyWatches } = options;
  const requestsOf = new Map<string, number>();
  let requests = 0;

  async function postReceipt(
    request: IncomingMessage,
    response: ServerResponse,
    door: number,
  ): Promise<void> {
    const asked = parseReceipt(await readBody(request));
    if (!asked) return answer(response, 400, problem("The body must be JSON with customerId and chargeId."));
    const key = header(request, "idempotency-key") ?? null;
    const customer = asked.customerId;
    const n = (requestsOf.get(customer) ?? 0) + 1;
    requestsOf.set(customer, n);
    const fault = faults(customer, n);
    const moment: Omit<Moment, "phase"> = {
      ...{ server: "receipts", effect: "receipt", request: ++requests, door, customer, n },
    };
    const log = (outcome: Outcome): void =>
      ledger.logRequest({ at: Date.now(), door, customer, idempotencyKey: key, outcome });

    await watch({ ...moment, phase: "arrived" });
    if (fault.kind === "reset" && fault.when === "before") {
      log("reset_before");
      reset(response);
      return watch({ ...moment, phase: "ended" });
    }
    if (fault.kind === "slow") await sleep(fault.delayMs);
    const id = `rcpt_${randomBytes(12).toString("hex")}`;
    const receipt = ledger.record({ id, key, customer, charge: asked.chargeId });
    if (receipt.customer !== customer || receipt.charge !== asked.chargeId) {
      log("key_mismatch");
      answer(response, 422, problem(`The key '${key}' was used for another receipt.`));
      return watch({ ...moment, phase: "ended" });
    }
    const replayed = receipt.id !== id;
    log(replayed ? "replayed" : "executed");
    await watch({ ...moment, phase: "executed", replayed });
    if (fault.kind === "reset") reset(response);
    else answer(response, 200, receiptBody(receipt), replayed ? { "Idempotent-Replayed": "true" } : {});
    await watch({ ...moment, phase: "ended" });
  }

  async function handle(request: IncomingMessage, response: ServerResponse, door: number): Promise<void> {
    if (request.url !== "/receipts")
      return answer(response, 404, problem(`There is no ${request.url} here.`));
    if (request.method === "POST") return postReceipt(request, response, door);
    if (request.method !== "GET") return answer(response, 405, problem(`/receipts knows GET and POST only.`));
    answer(response, 200, `[${ledger.list().map(receiptBody).join(",")}]`);
  }

  return (door) => (request, response) => {
    // A client that dies while it sends leaves nothing to answer; anything else is a fault of the server's own.
    handle(request, response, door).catch((error: unknown) => {
      if (request.complete) throw error;
      response.destroy();
    });
  };
}

function parseReceipt(body: string): { customerId: string; chargeId: string } | undefined {
  try {
    const { customerId, chargeId } = JSON.parse(body) as Record<string, unknown>;
    return typeof customerId === "string" && typeof chargeId === "string"
      ? { customerId, chargeId }
      : undefined;
  } catch {
    return undefined;
  }
}

function receiptBody(receipt: ReceiptRow): string {
  return JSON.stringify({ id: receipt.id, customerId: receipt.customer, chargeId: receipt.charge });
}

function problem(detail: string): string {
  return JSON.stringify({ detail });
}
