import { createHook, getStepMetadata, sleep } from "perdure";
import { createCharge } from "./payments.ts";

export async function charge(customer: string, cents: number): Promise<string> {
  "use step";
  const { stepId } = getStepMetadata();
  return (await createCharge(customer, cents, stepId)).id;
}

/** Charges a customer every thirty days, until somebody cancels. */
export async function subscription(customer: string, months: number): Promise<string[]> {
  "use workflow";
  using cancelled = createHook<boolean>({ token: `cancel:${customer}` });
  const charges: string[] = [];
  for (let month = 0; month < months; month++) {
    charges.push(await charge(customer, 900));
    const over = await Promise.race([cancelled, sleep("30 days")]);
    if (over === true) break;
  }
  return charges;
}
