/** `run <lease ttl> [start]`: starts the run of all shapes and executes it, or goes on with the one that is stored. */
import { start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { world } from "../place.ts";
import { shapes } from "./flow.ts";

const [leaseTtl, mode] = process.argv.slice(2);
configure({ world, worker: false });
const worker = createWorker({ world, leaseTtl: Number(leaseTtl) });
await worker.start();
const run = await start(shapes, ["a"], { idempotencyKey: "shapes" });
console.log(mode === "start" ? "started" : `result ${JSON.stringify(await run.returnValue)}`);
