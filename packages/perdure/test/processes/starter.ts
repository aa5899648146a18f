/** `starter <key> <count>`: starts a run so many times with one key when the gate `go` opens; prints the run ids. */
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { gated } from "./flows.ts";
import { gate, world } from "./place.ts";

const [idempotencyKey = "", count = ""] = process.argv.slice(2);
configure({ world, worker: false });
console.log("ready");
await gate("go");
const runs = await Promise.all(
  Array.from({ length: Number(count) }, () => start(gated, [], { idempotencyKey })),
);
for (const { runId } of runs) console.log(`run ${runId}`);
