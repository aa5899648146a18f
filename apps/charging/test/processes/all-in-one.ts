// The whole app in one process, for tests: the payment and receipts servers, a worker, and the API, on a store in memory. It tells
// its parent where it listens, and ends with it.

import { serve } from "@hono/node-server";
import { configure, createWorker, sqliteWorld } from "perdure/runtime";
import { createApi } from "../../src/api/app.ts";
import { keyed } from "../../src/api/keyed.ts";
import { listen } from "../../src/servers/http.ts";
import { openPaymentLedger } from "../../src/servers/payment-ledger.ts";
import { createPaymentServer } from "../../src/servers/payment-server.ts";
import { openReceiptsLedger } from "../../src/servers/receipts-ledger.ts";
import { createReceiptsServer } from "../../src/servers/receipts-server.ts";
import { loadWorkflows } from "../../src/workflows/choice.ts";

const payment = await listen(1, createPaymentServer({ ledger: openPaymentLedger(":memory:") }));
const receipts = await listen(1, createReceiptsServer({ ledger: openReceiptsLedger(":memory:") }));
const [url = ""] = payment.urls;
process.env.STRIPE_API_BASE = url;
process.env.STRIPE_SECRET_KEY = "sk_test_demo";
process.env.RECEIPTS_API_BASE = receipts.urls[0];

const world = sqliteWorld({ path: ":memory:" });
configure({ world, worker: false });
await createWorker({ world, workflows: await loadWorkflows("fetch", true) }).start();
const app = createApi({ guard: keyed(world, 1_000), provider: { url, secret: "sk_test_demo" } });
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
  process.send?.({ api: `http://127.0.0.1:${port}`, payment: url });
});
process.on("disconnect", () => process.exit());
