// Stands for your payment service: it makes one charge for each key, and keeps them in charges.json.

import { existsSync, readFileSync, writeFileSync } from "node:fs";

interface Charge {
  id: string;
  order: string;
  amount: number;
}

const FILE = "charges.json";

export async function pay({
  idempotencyKey,
  order,
  amount,
}: {
  idempotencyKey: string;
  order: string;
  amount: number;
}): Promise<Charge> {
  const charges: Record<string, Charge> = existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {};
  const known = charges[idempotencyKey];
  if (known !== undefined) return known;
  const charge = { id: `ch_${Object.keys(charges).length + 1}`, order, amount };
  writeFileSync(FILE, `${JSON.stringify({ ...charges, [idempotencyKey]: charge }, null, 2)}\n`);
  return charge;
}
