import { expect, it } from "vitest";
import { Client } from "../src/api/client.ts";
import { EngineWorker } from "../src/engine/worker.ts";
import { createHook, getStepMetadata, sleep, step, workflow } from "../src/index.ts";
import { memoryWorld } from "../src/testing/index.ts";

const add = step("add", async (a: number, b: number) => a + b);
const meta = step("meta", async () => getStepMetadata().stepId);
const flow = workflow("flow", async (n: number) => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum = await add(sum, i);
  await sleep(20);
  const ids = await Promise.all([meta(), meta()]);
  return { sum, ids };
});
const hooked = workflow("hooked", async () => {
  const hook = createHook<number>({ token: "t" });
  const conflict = await hook.getConflict();
  const a = await hook;
  const b = await hook;
  return [conflict, a, b];
});

it("runs", async () => {
  const world = memoryWorld();
  const client = new Client({ world });
  const worker = new EngineWorker({ world, keepAlive: false });
  await worker.start();
  const run = await client.start(flow, [10]);
  console.log(await run.returnValue);
  client.workers.add(worker);
  const run2 = await client.start(flow, [10]);
  console.log(await run2.returnValue);
  const run3 = await client.start(hooked, []);
  for (;;) {
    if ((await world.getHookByToken("t")) !== null) break;
    await new Promise((r) => setTimeout(r, 5));
  }
  await client.resumeHook("t", 1);
  await client.resumeHook("t", 2);
  console.log(await run3.returnValue);
  const t = performance.now();
  const runs = await Promise.all(Array.from({ length: 500 }, () => client.start(flow, [10])));
  await Promise.all(runs.map((r) => r.returnValue));
  console.log("500x12", performance.now() - t);
  for (const e of await world.listEvents(run3.runId, 0, 100)) console.log(e.seq, e.type, e.name, e.id);
  await worker.close();
  expect(1).toBe(1);
});
