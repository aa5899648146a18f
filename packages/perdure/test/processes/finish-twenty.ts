/** `finish-twenty <name> …`: completes the runs of these workflows of 20 steps. */
import { getRun } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { world } from "./place.ts";
import { twentySteps } from "./twenty-steps.ts";

const names = process.argv.slice(2);
const workflows = names.map(twentySteps);
configure({ world });
const worker = createWorker({ world, workflows, leaseTtl: 5_000 });
await worker.start();
const { runs } = await world.listRuns({ limit: 1_000 });
for (const { runId, workflow } of runs) console.log(`${workflow} ${await getRun(runId).returnValue}`);
await worker.close();
await world.close();
