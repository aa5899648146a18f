// One worker process of the demo. It executes the workflow until it is asked to close, or killed.

import { parseArgs } from "node:util";
import { createWorker, setWorld } from "perdure/runtime";
import { loadWorkflows } from "./workflows/choice.ts";
import { worldNamed } from "./worlds.ts";

const { values } = parseArgs({
  options: {
    world: { type: "string", default: "sqlite" },
    address: { type: "string", default: "" },
    workflow: { type: "string", default: "fetch" },
    /** Whether it executes what the API starts. */
    api: { type: "boolean", default: false },
    concurrency: { type: "string", default: "4" },
    lease: { type: "string", default: "2000" },
  },
});

const world = worldNamed(values.world).open(values.address);
setWorld(world);
const worker = createWorker({
  world,
  workflows: await loadWorkflows(values.workflow, values.api),
  concurrency: Number(values.concurrency),
  // No more runs than it can execute, so that the other workers have their share.
  maxRuns: Number(values.concurrency),
  leaseTtl: Number(values.lease),
  signals: [],
});
await worker.start();

process.send?.("ready");
process.once("SIGTERM", () => void worker.close().then(() => process.exit()));
// The demo is gone, however it went: nobody would ever end this process.
process.once("disconnect", () => process.exit(1));
