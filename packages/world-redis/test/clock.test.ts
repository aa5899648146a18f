import { sleep, workflow } from "@perdure/core";
import { Client, type Clock, EngineWorker } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { claiming, NOW } from "@perdure/testbed/requests";
import { expect, it, onTestFinished, vi } from "vitest";
import { newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();
const HOUR = 3_600_000;

const nap = workflow("test/nap", async () => {
  await sleep(1_000);
  return "awake";
});

// As they are before a worker guards them.
const machineNow = Date.now;
const machineElapsed = performance.now.bind(performance);

/** The clock of a machine whose time of day is an hour ahead. */
const hourAhead: Clock = {
  now: () => machineNow() + HOUR,
  elapsed: machineElapsed,
  setTimer(at, fn) {
    const timer = setTimeout(fn, Math.max(at - HOUR - machineNow(), 0)).unref();
    return () => clearTimeout(timer);
  },
  turn: (fn) => void setImmediate(fn),
  pause: (fn) => void setTimeout(fn, 1),
};

async function workerOn(world: World, clock?: Clock): Promise<EngineWorker> {
  const worker = new EngineWorker({
    world,
    signals: [],
    keepAlive: false,
    logger: "silent",
    ...(clock && { clock }),
  });
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
  const ahead = await workerOn(world, hourAhead);
  const run = await new Client({ world, clock: hourAhead }).start<string>(nap, []);
  await vi.waitUntil(async () => {
    const events = await world.listEvents(run.runId, 0, 10);
    return events.some(({ type }) => type === "wait_created");
  }, 5_000);
  await ahead.close();
  await workerOn(world);
  expect(await new Client({ world }).getRun(run.runId).returnValue).toBe("awake");
}, 10_000);
