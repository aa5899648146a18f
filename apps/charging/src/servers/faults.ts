// What goes wrong at the servers, and when. A fault is a function of the seed, the customer and how many requests
// the server has had for that customer, so a seed means the same faults on every machine and in every interleaving.
// The idempotency key would not do in place of the customer: it holds the run's id, which is new in every demo.

import { chosen, type Shares, seeded, seededInteger } from "../seeded.ts";
import type { ServerName } from "./moments.ts";

/** What happens to one request. */
export type Fault =
  | { kind: "none" }
  /** The connection is reset, before the request had its effect or after it. */
  | { kind: "reset"; when: "before" | "after" }
  /** A 500 before the request had an effect. */
  | { kind: "server_error" }
  /** A 429, decided before the idempotency layer. */
  | { kind: "rate_limited"; retryAfterSeconds: number }
  /** The effect comes late, and with it the answer. */
  | { kind: "slow"; delayMs: number };

/** Chooses the fault of a customer's n-th request, counted from 1. */
export type FaultPlan = (customer: string, n: number) => Fault;

/** A plan without faults. */
export const noFaults: FaultPlan = () => ({ kind: "none" });

/**
 * The last request of a customer that may meet a fault. A step has four attempts by default (`maxRetries` 3; those that
 * a kill cut off do not count), so with two faults at most there is always an attempt that nothing disturbs.
 */
const lastFaultyRequest = 2;

type MakeFault = (delayMs: number) => Fault;

/**
 * A 500 comes before execution only. Stripe stores an executed 500 under the key and replays it, so an injected one
 * would be the key's answer for good, and no number of retries would charge that customer.
 */
const paymentShares: Shares<MakeFault> = [
  [0.15, () => ({ kind: "reset", when: "after" })],
  [0.08, () => ({ kind: "server_error" })],
  [0.08, () => ({ kind: "rate_limited", retryAfterSeconds: 1 })],
  [0.3, (delayMs) => ({ kind: "slow", delayMs })],
];

/**
 * The guide's `sendReceipt` does not read the status of the answer: a 500 or a 429 would end the step as completed
 * with no receipt sent, which is the printed code's choice and not a thing an engine can mend. A reset rejects the
 * fetch, so the step is retried; those and slow answers are what this server injects.
 */
const receiptsShares: Shares<MakeFault> = [
  [0.1, () => ({ kind: "reset", when: "before" })],
  [0.1, () => ({ kind: "reset", when: "after" })],
  [0.25, (delayMs) => ({ kind: "slow", delayMs })],
];

/** The faults of one server under one seed. */
export function seededFaults(seed: number, server: ServerName): FaultPlan {
  const shares = server === "payment" ? paymentShares : receiptsShares;
  return (customer, n) => {
    if (n > lastFaultyRequest) return { kind: "none" };
    const make = chosen(seeded(seed, "fault", server, customer, n), shares);
    return make?.(seededInteger(seed, 50, 300, "delay", server, customer, n)) ?? { kind: "none" };
  };
}
