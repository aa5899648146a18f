import { sqliteWorld } from "@perdure/world-sqlite";
import { createWorker } from "perdure/runtime";
import "./stream-flows.ts";

// A worker in a process of its own, on the file that is named in its arguments.

const worker = createWorker({ world: sqliteWorld({ path: process.argv[2] as string }), leaseTtl: 1_000 });
await worker.start();
console.log("started");
