import { existsSync } from "node:fs";

export async function invoice(id: string, cents: number): Promise<string> {
  "use workflow";
  const { customer } = await lookUp(id);
  const receipt = await charge(customer, cents);
  await mail(customer, receipt);
  return receipt;
}

async function lookUp(id: string): Promise<{ customer: string }> {
  "use step";
  return { customer: `cus_${id}` };
}

async function charge(customer: string, cents: number): Promise<string> {
  "use step";
  if (customer === "cus_in_42" && !existsSync("provider-is-up")) {
    throw new Error("503 from the payment provider: down for maintenance");
  }
  return `receipt of ${cents} cents`;
}
charge.maxRetries = 1;

async function mail(customer: string, text: string): Promise<void> {
  "use step";
  console.log(`to ${customer}: ${text}`);
}
