import { start } from "perdure/api";
import { chargeCustomer } from "../../../workflows.ts";

// One run for an order, whoever asks for it and how often.
export async function POST(_request: Request, { params }: { params: Promise<{ order: string }> }) {
  const { order } = await params;
  const run = await start(chargeCustomer, [order, 4200], { idempotencyKey: order });
  return Response.json({ runId: run.runId, status: await run.status }, { status: 202 });
}
