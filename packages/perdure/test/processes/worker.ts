/** `worker <lease ttl> [stall timeout]`: a worker for the flows of `flows.ts`, with the default signals. */
import { createWorker } from "perdure/runtime";
import "./flows.ts";
import { world } from "./place.ts";

const [leaseTtl, stallTimeout] = process.argv.slice(2).map(Number);
const worker = createWorker({
  world,
  ...(leaseTtl !== undefined && { leaseTtl }),
  ...(stallTimeout !== undefined && { stallTimeout }),
});
await worker.start();
console.log("open");
