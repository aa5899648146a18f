// The clients of the API. Each takes the next order when it is done with one, and sends its requests until there is an answer:
// again after a lost connection, at another server and with the same key, and again when the key is in flight.

import { setTimeout as sleep } from "node:timers/promises";
import type { Order } from "./orders.ts";

export interface ClientsOptions {
  clients: number;
  /** The API servers. */
  urls: readonly string[];
  /** Ends what the clients do; orders without an answer by then are in trouble. */
  signal: AbortSignal;
  onAsked?: (customer: string, again: boolean) => void;
  onAnswered?: (customer: string, answer: Answer) => void;
}

export interface Answer {
  status: number;
  body: string;
  /** The server gave an earlier answer instead of doing the work again. */
  replayed: boolean;
}

export interface OrderOutcome {
  customer: string;
  /** Why the order was not carried out; absent when it was. */
  trouble?: string;
}

export interface ClientsResult {
  outcomes: OrderOutcome[];
  /** Requests that were sent, with those that had no answer and were sent again. */
  requests: number;
  /** Requests that asked for what had been asked for, because the client sends twice. */
  duplicateRequests: number;
  /** Orders that were sent twice and got two answers that are not the same, byte for byte. */
  unequalAnswers: number;
}

/** How long a client waits before it tries another server, in milliseconds. */
const pauseMs = 100;

/** Carries the orders out. Resolves when each has its answers, or the signal is aborted. */
export async function runClients(orders: readonly Order[], options: ClientsOptions): Promise<ClientsResult> {
  const { clients, urls, signal, onAsked, onAnswered } = options;
  const result: ClientsResult = { outcomes: [], requests: 0, duplicateRequests: 0, unequalAnswers: 0 };
  const waiting = orders.entries();

  async function client(number: number): Promise<void> {
    const authorization = `Bearer demo-client-${number}`;
    for (const [place, order] of waiting) {
      const { customer } = order;
      try {
        const charge = await post(order, place, "/v1/charges", {
          headers: { Authorization: authorization, "Idempotency-Key": order.key },
          body: new URLSearchParams({ amount: String(order.amount), currency: "usd", customer }),
        });
        if (order.refund) {
          const { id } = JSON.parse(charge.body) as { id: string };
          await post(order, place, "/refunds", {
            headers: {
              Authorization: authorization,
              "Content-Type": "application/json",
              "Idempotency-Key": `"${order.key}-refund"`,
            },
            body: JSON.stringify({ customer, charge: id }),
          });
        }
        result.outcomes.push({ customer });
      } catch (error) {
        const trouble = signal.aborted ? "not finished in time" : String((error as Error).message);
        result.outcomes.push({ customer, trouble });
      }
    }
  }

  /** Sends an order's request as often as the order says. Throws for an answer that is no success. */
  async function post(order: Order, place: number, path: string, init: RequestInit): Promise<Answer> {
    const send = (again: boolean): Promise<Answer> => {
      if (again) result.duplicateRequests++;
      // The second one goes to the next server: what protects the customer is not one process's memory.
      return answerOf(order.customer, path, init, place + (again ? 1 : 0), again);
    };
    const answers =
      order.sent === "at once" ? await Promise.all([send(false), send(true)]) : [await send(false)];
    if (order.sent === "twice") answers.push(await send(true));
    const [first, second] = answers as [Answer, Answer?];
    if (second && second.body !== first.body) result.unequalAnswers++;
    const bad = answers.find(({ status }) => status >= 300);
    if (bad) throw new Error(`${path} answered ${bad.status}: ${bad.body}`);
    return first;
  }

  async function answerOf(
    customer: string,
    path: string,
    init: RequestInit,
    server: number,
    again: boolean,
  ): Promise<Answer> {
    for (let n = 0; ; n++) {
      signal.throwIfAborted();
      result.requests++;
      onAsked?.(customer, again || n > 0);
      const url = `${urls[(server + n) % urls.length]}${path}`;
      const got = await attempt(url, { ...init, method: "POST", signal });
      if (got && "status" in got) {
        onAnswered?.(customer, got);
        return got;
      }
      await sleep(got?.retryAfterMs ?? pauseMs, undefined, { signal });
    }
  }

  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  return result;
}

/** One request: its answer, or when to send it again. Undefined where the connection broke, which says nothing about the order. */
async function attempt(
  url: string,
  init: RequestInit,
): Promise<Answer | { retryAfterMs: number } | undefined> {
  try {
    const response = await fetch(url, init);
    const body = await response.text();
    const replayed = response.headers.get("idempotent-replayed") === "true";
    // In flight, too many, or a server that stumbled before it had an answer to keep.
    const undecided = response.status === 409 || response.status === 429 || response.status >= 500;
    if (!undecided || replayed) return { status: response.status, body, replayed };
    return { retryAfterMs: 1000 * Number(response.headers.get("retry-after") ?? 0) || pauseMs };
  } catch {
    return undefined;
  }
}
