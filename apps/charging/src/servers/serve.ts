// One server as a process of its own: `node src/servers/serve.ts payment --ledger FILE --seed 1 --doors 2`. It talks to
// its parent over the IPC channel (where it listens, what moment a request has reached) and ends with its parent.

import { parseArgs } from "node:util";
import { noFaults, seededFaults } from "./faults.ts";
import { listen } from "./http.ts";
import { nobodyWatches } from "./moments.ts";
import { openPaymentLedger } from "./payment-ledger.ts";
import { createPaymentServer } from "./payment-server.ts";
import { openReceiptsLedger } from "./receipts-ledger.ts";
import { createReceiptsServer } from "./receipts-server.ts";
import { type FromServer, watchOverIpc } from "./watch-over-ipc.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ledger: { type: "string" },
    seed: { type: "string", default: "1" },
    doors: { type: "string", default: "1" },
    faults: { type: "string", default: "on" },
  },
});
const [name] = positionals;
if ((name !== "payment" && name !== "receipts") || values.ledger === undefined) {
  console.error("Usage: serve.ts payment|receipts --ledger FILE [--seed N] [--doors N] [--faults on|off]");
  process.exit(2);
}

const faults = values.faults === "off" ? noFaults : seededFaults(Number(values.seed), name);
const watch = process.send ? watchOverIpc() : nobodyWatches;
const server =
  name === "payment"
    ? createPaymentServer({ ledger: openPaymentLedger(values.ledger), faults, watch })
    : createReceiptsServer({ ledger: openReceiptsLedger(values.ledger), faults, watch });
const { urls } = await listen(Number(values.doors), server);

if (process.send) tell({ type: "listening", urls });
else console.log(`The ${name} server listens at ${urls.join(" and ")}`);
process.on("disconnect", () => process.exit());

function tell(message: FromServer): void {
  process.send?.(message);
}
