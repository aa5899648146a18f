// The guide's workflow with the official Stripe client in place of `fetch`. The client retries nothing by itself
// (`maxNetworkRetries: 0`), so every retry is the engine's, durable and counted; the one exception, a closed
// connection that the client always tries once more, carries the same key. Errors are told apart by their class:
// a rate limit says when to come back, and a request that Stripe calls invalid stays invalid.

import { FatalError, getStepMetadata, RetryableError } from "perdure";
import Stripe from "stripe";

export async function chargeCustomer(customerId: string, amount: number) {
  "use workflow";

  const charge = await createCharge(customerId, amount);
  await sendReceipt(customerId, charge.id);

  return { customerId, chargeId: charge.id, status: "completed" };
}

async function createCharge(customerId: string, amount: number): Promise<{ id: string }> {
  "use step";

  const { stepId } = getStepMetadata();
  try {
    const { id } = await stripe().charges.create(
      { amount, currency: "usd", customer: customerId },
      { idempotencyKey: stepId },
    );
    return { id };
  } catch (error) {
    if (error instanceof Stripe.errors.StripeRateLimitError) {
      const seconds = Number(error.headers?.["retry-after"] ?? 1);
      throw new RetryableError(error.message, { retryAfter: seconds * 1000 });
    }
    if (
      error instanceof Stripe.errors.StripeInvalidRequestError ||
      error instanceof Stripe.errors.StripeIdempotencyError
    ) {
      throw new FatalError(error.message);
    }
    throw error;
  }
}

async function sendReceipt(customerId: string, chargeId: string): Promise<void> {
  "use step";

  const { stepId } = getStepMetadata();
  const response = await fetch(`${process.env.RECEIPTS_API_BASE}/receipts`, {
    method: "POST",
    headers: { "Idempotency-Key": stepId },
    body: JSON.stringify({ customerId, chargeId }),
  });
  if (!response.ok) throw new Error(`Receipt failed: ${response.status} ${await response.text()}`);
}

function stripe(): Stripe {
  const { hostname, port } = new URL(process.env.STRIPE_API_BASE ?? "");
  return new Stripe(process.env.STRIPE_SECRET_KEY ?? "", {
    host: hostname,
    port,
    protocol: "http",
    maxNetworkRetries: 0,
  });
}
