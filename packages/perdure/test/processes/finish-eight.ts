/** `finish-eight <name> …`: completes the runs of these workflows of 8 steps. */
import { getRun } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { eightSteps } from "./eight-steps.ts";
import { world } from "./place.ts";

const names = process.argv.slice(2);
const workflows = names.map(eightSteps);
configure({ world });
const worker = createWorker({ world, workflows, leaseTtl: 5_000 });
await worker.start();
const { runs } = await world.listRuns({ limit: 1_000 });
for (const { runId, workflow } of runs) console.log(`${workflow} ${await getRun(runId).returnValue}`);
await worker.close();
await world.close();
