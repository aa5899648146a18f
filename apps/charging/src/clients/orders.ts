// What the clients ask for, decided by the seed: one charge per customer, some of them sent more than once, some refunded.

import { seeded, seededInteger } from "../seeded.ts";

export interface Order {
  customer: string;
  /** In cents. */
  amount: number;
  /** The idempotency key of the order's charge: every request about it has this one. */
  key: string;
  /** How the order's requests are sent: once, one after the other, or two at the same time. */
  sent: "once" | "twice" | "at once";
  /** The charge is refunded when it was made. */
  refund: boolean;
}

export interface OrderPlan {
  seed: number;
  customers: readonly string[];
  /** The share of the orders whose requests are sent more than once, from 0 to 1. */
  duplicates: number;
  /** The share of the orders that are refunded. */
  refunds: number;
}

/** The orders in the order of the customers. Exactly the shares of them are sent twice and refunded, whatever the seed. */
export function planOrders({ seed, customers, duplicates, refunds }: OrderPlan): Order[] {
  const sentAgain = drawn(seed, "duplicate", customers, duplicates);
  const refunded = new Set(drawn(seed, "refund", customers, refunds));
  return customers.map((customer) => {
    const place = sentAgain.indexOf(customer);
    return {
      customer,
      amount: amountOf(seed, customer),
      key: `order-${seed}-${customer}`,
      sent: place < 0 ? "once" : place % 2 === 0 ? "at once" : "twice",
      refund: refunded.has(customer),
    };
  });
}

/** Five to two hundred dollars, in cents. */
export function amountOf(seed: number, customer: string): number {
  return seededInteger(seed, 500, 20_000, "amount", customer);
}

function drawn(seed: number, what: string, customers: readonly string[], share: number): string[] {
  const draw = new Map(customers.map((customer) => [customer, seeded(seed, what, customer)]));
  const byDraw = [...customers].sort((a, b) => (draw.get(a) ?? 0) - (draw.get(b) ?? 0));
  return byDraw.slice(0, Math.round(share * customers.length));
}
