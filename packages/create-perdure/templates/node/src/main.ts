import "./perdure.ts";
import { start } from "perdure/api";
import { chargeCustomer } from "./workflows.ts";

// One run for an order, whoever starts it and how often.
const [order = "order_1"] = process.argv.slice(2);
const run = await start(chargeCustomer, [order, 4200], { idempotencyKey: order });
console.log(`${run.runId} charges ${order}`);
console.log(await run.returnValue);
