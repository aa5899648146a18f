/** `finish-families <name> …`: completes these families, and writes what each parent gives as `<name>: <values>`. */
import { getRun } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { family } from "./family.ts";
import { world } from "./place.ts";

const families = process.argv.slice(2).map((name) => ({ name, ...family(name) }));
configure({ world });
const workflows = families.flatMap(({ parent, child }) => [parent, child]);
const worker = createWorker({ world, workflows, leaseTtl: 5_000 });
await worker.start();
for (const { name } of families) {
  const { runs } = await world.listRuns({ workflow: `parent ${name}`, limit: 10 });
  for (const { runId } of runs) console.log(`${name}: ${await getRun<number[]>(runId).returnValue}`);
}
await worker.close();
await world.close();
