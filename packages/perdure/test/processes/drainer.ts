/** `drainer <url> <namespace> <budget>`: drains once, prints the answer, and is killed at the deadline, as a platform would. */
import { drain } from "perdure/runtime";
import { drainWorld } from "./drain-flows.ts";

const [url = "", namespace = "", budget = ""] = process.argv.slice(2);
const world = drainWorld(url, namespace);
await world.open();
const began = performance.now();
setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(budget));
const answer = await drain({ world, budgetMs: Number(budget), concurrency: 4 });
console.log(JSON.stringify({ ...answer, took: performance.now() - began }));
