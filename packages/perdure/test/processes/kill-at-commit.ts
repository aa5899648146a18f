/**
 * `kill-at-commit <before|after> <k>`: starts a run of 8 steps and ends itself by SIGKILL before its k-th commit is
 * sent, or after it is durable.
 */
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { eightSteps } from "./eight-steps.ts";
import { world } from "./place.ts";

const [when = "", k = ""] = process.argv.slice(2);
const flow = eightSteps(`${when} ${k}`);

const commit = world.commit.bind(world);
let commits = 0;
world.commit = async (batch, now) => {
  const last = ++commits === Number(k);
  if (last && when === "before") process.kill(process.pid, "SIGKILL");
  const results = await commit(batch, now);
  if (last) process.kill(process.pid, "SIGKILL");
  return results;
};
configure({ world, worker: { leaseTtl: 1_000, workflows: [flow] } });
await (await start(flow, [])).returnValue;
