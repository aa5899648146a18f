import { getStepMetadata, sleep } from "perdure";
import { pay } from "./payments.ts";

export async function chargeCustomer(order: string, amount: number) {
  "use workflow";

  const charge = await createCharge(order, amount);
  await sleep("2s"); // durable: no process has to be there meanwhile
  await sendReceipt(order, charge.id);

  return { order, chargeId: charge.id, status: "completed" };
}

async function createCharge(order: string, amount: number): Promise<{ id: string }> {
  "use step";

  // The same at every attempt of this step, after a crash too: the payment service knows a repetition by it.
  const { stepId } = getStepMetadata();
  return await pay({ idempotencyKey: stepId, order, amount });
}

async function sendReceipt(order: string, chargeId: string): Promise<void> {
  "use step";

  console.log(`Receipt for ${order}: ${chargeId}`);
}
