import { sleep, workflow } from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import { configure, createWorker, drain, shutdown } from "@perdure/core/runtime";
import { deploy, memoryWorld, type VirtualClock, virtualClock, waitForSleep } from "@perdure/core/testing";
import { afterEach, beforeEach, expect, it } from "vitest";

// One clock for what is started, read and executed in a process.

const HOUR = 3_600_000;
let clock: VirtualClock;

beforeEach(() => {
  deploy();
  clock = virtualClock({ start: Date.UTC(2030, 0, 1) });
});

/** Moves time on until the work is done. */
async function until<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const done = (): void => {
    over = true;
  };
  work.then(done, done);
  for (let timers = 0; !over && timers < 1000; timers++) await clock.advanceToNext();
  return await work;
}

afterEach(() => until(shutdown()));

const naps = () =>
  workflow("naps", async () => {
    await sleep("1 hour");
    return Date.now();
  });

it("is that of the worker which configure() brings along", async () => {
  configure({ world: memoryWorld(), clock, worker: true });
  const run = await start(naps());
  expect(await run.createdAt).toEqual(new Date(Date.UTC(2030, 0, 1)));
  await waitForSleep(run);
  await clock.advance(HOUR);
  expect(await until(getRun<number>(run.runId).returnValue)).toBe(Date.UTC(2030, 0, 1) + HOUR);
});

it("is that of createWorker() and drain() on the same World", async () => {
  const world = memoryWorld();
  configure({ world, clock, worker: false });
  const run = await start(naps());
  expect(await until(drain({ budgetMs: 1000 }))).toEqual({
    processed: 1,
    due: 0,
    nextDueAt: new Date(Date.UTC(2030, 0, 1) + HOUR),
  });
  const worker = createWorker({ world });
  await worker.start();
  await clock.advance(HOUR);
  expect(await until(run.returnValue)).toBe(Date.UTC(2030, 0, 1) + HOUR);
  await until(worker.close());
});
