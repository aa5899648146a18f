/** `restarted-app`: a program that is killed in its first life and completes the run in its second. */
import { getStepMetadata, step, workflow } from "perdure";
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { note, world } from "./place.ts";

const before = step("before", async () => note("before"));
const deadly = step("deadly", async () => {
  const { attempt, stepId } = getStepMetadata();
  note(`deadly ${attempt} ${stepId}`);
  if (attempt === 1) process.kill(process.pid, "SIGKILL");
  return attempt;
});
const flow = workflow("restarted", async () => {
  await before();
  return await deadly();
});

configure({ world, worker: { leaseTtl: 1_000, keepAlive: false } });
const run = await start(flow, { idempotencyKey: "one" });
console.log(`result ${await run.returnValue}`);
