import { sleep, workflow } from "@perdure/core";
import { Client, EngineWorker } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { claiming, NOW } from "@perdure/testbed/requests";
import { expect, it, onTestFinished, vi } from "vitest";
import { newNamespace, openWorld } from "./store.ts";

/** The time of day of this machine can be set. It is replaced before the engine is loaded, which keeps the real one. */
const machine = vi.hoisted(() => {
  const clock = { ahead: 0 };
  const real = Date.now;
  Date.now = () => real() + clock.ahead;
  return clock;
});

const { url } = await sharedRedis();

const nap = workflow("test/nap", async () => {
  await sleep(1_000);
  return "awake";
});

async function startWorker(world: World): Promise<EngineWorker> {
  const worker = new EngineWorker({ world, signals: [], keepAlive: false, logger: "silent" });
  onTestFinished(() => worker.close());
  await worker.start();
  return worker;
}

it("says whether workers can set their clocks by it", async () => {
  const byStore = await openWorld({ url, namespace: newNamespace(), clock: "store" });
  expect(byStore.capabilities.ownClock).toBe(true);
  expect((await byStore.claim(claiming())).now).toBeGreaterThan(NOW);
  const byCaller = await openWorld({ url, namespace: newNamespace(), clock: "caller" });
  expect(byCaller.capabilities.ownClock).toBe(false);
  expect((await byCaller.claim(claiming())).now).toBe(NOW);
});

it("a sleep lasts as long as it says when the starter and the first worker are an hour ahead", async () => {
  const world = await openWorld({ url, namespace: newNamespace(), clock: "store" });
  machine.ahead = 3_600_000;
  const first = await startWorker(world);
  const run = await new Client({ world }).start<string>(nap, []);
  await vi.waitUntil(async () => {
    const events = await world.listEvents(run.runId, 0, 10);

    return events.some(({ type }) => type === "wait_created");
  }, 20_000);
  await first.close();
  machine.ahead = 0;
  await startWorker(world);
  expect(await new Client({ world }).getRun(run.runId).returnValue).toBe("awake");
}, 60_000);
