/**
 * `stray <workflow|program>`: promises that are rejected and that nobody awaits, in a workflow that is cancelled, or in the
 * program around it.
 */
import { sleep, step, workflow } from "perdure";
import { start } from "perdure/api";
import { configure, jsonLogger } from "perdure/runtime";
import { world } from "./place.ts";

const never = step("never ends", () => new Promise<never>(() => {}));
const fails = step("fails", () => Promise.reject(new Error("step failed")), { maxRetries: 0 });
const helper = async (work: () => Promise<unknown>): Promise<unknown> => await work();
const flow = workflow("strays", async () => {
  const beside = [helper(never), never().then(() => 1), helper(fails)];
  await sleep("1 day");
  await Promise.all(beside);
});

const logger = jsonLogger((line) => {
  const { level, message } = JSON.parse(line) as { level: string; message: string };
  console.log(`${level} ${message}`);
});
configure({ world, worker: { logger, keepAlive: false } });
const run = await start(flow);
while ((await world.listEvents(run.runId, 0, 100)).every(({ type }) => type !== "step_failed")) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
if (process.argv[2] === "program") {
  void Promise.reject(new Error("nobody handles this"));
  await new Promise((resolve) => setTimeout(resolve, 5_000));
}
await run.cancel();
console.log(await run.returnValue.catch((error: Error) => error.name));
