import { acquireLock, step, workflow } from "perdure";
import { start } from "perdure/api";
import { configure, createWorker, sqliteWorld, type Worker } from "perdure/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";

// The samples of docs/locks.md: each region is shown there, and executed here.

const updateBalance = step("updateBalance", async (id: string, fence: number) => `${id} ${fence > 0}`);

const world = sqliteWorld({ path: ":memory:" });
let worker: Worker;

beforeAll(async () => {
  configure({ world, worker: false });
  worker = createWorker({ world });
  await worker.start();
});

afterAll(async () => {
  await worker.close();
  await world.close();
});

test("a lock", async () => {
  // #region a lock
  const settle = workflow("settle", async (customerId: string) => {
    await using lock = await acquireLock(`customer:${customerId}`, { timeout: "10 minutes" });
    return await updateBalance(customerId, lock.fence);
  });
  // #endregion

  const runs = await Promise.all(["cus_1", "cus_1", "cus_2"].map((id) => start(settle, [id])));
  const given = await Promise.all(runs.map((run) => run.returnValue));
  expect(given).toEqual(["cus_1 true", "cus_1 true", "cus_2 true"]);
});

test("limits for a workflow", async () => {
  // #region limits for a workflow
  const sync = workflow("sync", async (customerId: string) => await updateBalance(customerId, 0), {
    concurrency: { key: (customerId) => customerId, limit: 1, onLimit: "queue" },
  });
  const report = workflow("report", async (day: string) => await updateBalance(day, 0));
  report.singleton = { key: (day) => day, mode: "skip" };
  // #endregion

  const runs = await Promise.all(["a", "a", "b"].map((id) => start(sync, [id])));
  expect(await Promise.all(runs.map((run) => run.returnValue))).toEqual(["a false", "a false", "b false"]);
  expect(await (await start(report, ["monday"])).returnValue).toBe("monday false");
});
