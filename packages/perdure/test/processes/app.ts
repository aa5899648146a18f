/** `app`: a whole program without any configuration: starts a run and prints what comes of it. */
import { sleep, step, workflow } from "perdure";
import { start } from "perdure/api";

const add = step("add", async (a: number, b: number) => a + b);
const flow = workflow("app", async (a: number) => {
  await sleep(100);
  return await add(a, 2);
});

const run = await start(flow, [40]);
console.log(`result ${await run.returnValue}`);
