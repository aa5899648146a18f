// What the API starts: the guide's workflow under a lock, so that a customer has one charge or refund under way at a time,
// whoever asks and on whatever machine.

import { acquireLock, idempotentFetch } from "perdure";
import { start } from "perdure/api";
import { chargeCustomer } from "./charge-customer.ts";

export async function chargeOrder(customerId: string, amount: number) {
  "use workflow";

  await using _lock = await acquireLock(`customer:${customerId}`);
  const run = await start(chargeCustomer, [customerId, amount]);
  return await run.returnValue;
}

export async function refundOrder(customerId: string, chargeId: string) {
  "use workflow";

  await using _lock = await acquireLock(`customer:${customerId}`);
  const refund = await createRefund(chargeId);
  return { customerId, chargeId, refundId: refund.id };
}

async function createRefund(chargeId: string): Promise<{ id: string }> {
  "use step";

  const response = await idempotentFetch(`${process.env.STRIPE_API_BASE}/v1/refunds`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.STRIPE_SECRET_KEY}` },
    body: new URLSearchParams({ charge: chargeId }),
    keyRetention: "24h",
  });
  return (await response.json()) as { id: string };
}
