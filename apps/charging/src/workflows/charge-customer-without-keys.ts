// The guide's workflow with the keys left out, and nothing else changed: what a retry does to a customer then.

export async function chargeCustomer(customerId: string, amount: number) {
  "use workflow";

  const charge = await createCharge(customerId, amount);
  await sendReceipt(customerId, charge.id);

  return { customerId, chargeId: charge.id, status: "completed" };
}

async function createCharge(customerId: string, amount: number): Promise<{ id: string }> {
  "use step";

  const charge = await fetch(`${process.env.STRIPE_API_BASE}/v1/charges`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.STRIPE_SECRET_KEY}` },
    body: new URLSearchParams({ amount: String(amount), currency: "usd", customer: customerId }),
  });

  if (!charge.ok) {
    const error = await charge.json();
    throw new Error(`Charge failed: ${error.message}`);
  }

  return charge.json();
}

async function sendReceipt(customerId: string, chargeId: string): Promise<void> {
  "use step";

  await fetch(`${process.env.RECEIPTS_API_BASE}/receipts`, {
    method: "POST",
    body: JSON.stringify({ customerId, chargeId }),
  });
}
