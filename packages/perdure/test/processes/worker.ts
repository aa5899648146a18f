/** `worker <lease ttl>`: a worker for the flows of `flows.ts`, with the default signals. */
import { createWorker } from "perdure/runtime";
import "./flows.ts";
import { world } from "./place.ts";

const worker = createWorker({ world, leaseTtl: Number(process.argv[2]) });
await worker.start();
console.log("open");
