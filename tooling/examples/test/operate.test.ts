import { step, workflow } from "perdure";
import { getRun, listWorkers, start } from "perdure/api";
import { healthHandler } from "perdure/http";
import { configure, createWorker, sqliteWorld } from "perdure/runtime";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

// The samples of docs/operate.md: each region is shown there, and executed here.

const world = sqliteWorld({ path: ":memory:" });
const quick = workflow("operate//quick", async () => await step("operate//one", async () => 1)());

beforeAll(() => configure({ world, worker: false }));
afterAll(() => world.close());

test("health of a worker", async () => {
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  // #region health of a worker
  const worker = createWorker({ world });
  await worker.start();
  const answer = healthHandler(worker)(new Request("http://localhost/health"));
  console.log(answer.status, ((await answer.json()) as { reasons: string[] }).reasons);
  // #endregion
  expect(said).toHaveBeenCalledWith(200, []);
  said.mockRestore();
  await expect
    .poll(async () => (await listWorkers()).map(({ workerId }) => workerId), { timeout: 10_000 })
    .toEqual([worker.id]);
  await worker.close();
  expect(await listWorkers()).toEqual([]);
});

test("retention of a worker", async () => {
  // #region retention of a worker
  const worker = createWorker({
    world,
    retention: { completed: "30 days", failed: "90 days", cancelled: "7 days" },
  });
  // #endregion
  await worker.start();
  const run = await start(quick, []);
  expect(await run.returnValue).toBe(1);
  expect(await getRun(run.runId).status).toBe("completed");
  await worker.close();
});
