import { createHook, FatalError, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { WorldError } from "@perdure/core/errors";
import { EngineWorker } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { expect, it } from "vitest";
import { workersOf } from "../../src/engine/upkeep/sign-of-life.ts";
import { cluster } from "./cluster.ts";

// What a worker does beside its runs: it deletes old ones, shows that it lives, and tells how the store is.

const MINUTE = 60_000;

async function wait(clock: { advance(ms: number): Promise<void> }, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) await clock.advance(Math.min(5_000, ms - passed));
}

it("keeps ended runs for as long as their status says, and those of a status that is not named", async () => {
  const { process, client, clock, until, state } = cluster();
  const good = workflow("good", async () => 1);
  const bad = workflow("bad", async () => {
    throw new FatalError("no");
  });
  const stopped = workflow("stopped", async () => await createHook());
  await process({ retention: { completed: "2 minutes", failed: 5 * MINUTE } });
  const runs = [await client.start(good, []), await client.start(bad, []), await client.start(stopped, [])];
  await until(runs[2]?.cancel() ?? Promise.reject());
  await until(Promise.allSettled(runs.map((run) => run.returnValue)));
  const left = (): string[] => [...state.runs.values()].map(({ row }) => row.workflow).sort();
  await wait(clock, MINUTE);
  expect(left()).toEqual(["bad", "good", "stopped"]);
  await wait(clock, 2 * MINUTE);
  expect(left()).toEqual(["bad", "stopped"]);
  await wait(clock, 4 * MINUTE);
  expect(left()).toEqual(["stopped"]);
});

it("deletes in small batches, by one worker at a time", async () => {
  const { process, client, clock, until, state, world } = cluster();
  const quick = workflow("quick", async () => 1);
  const first = await process();
  const runs = await Promise.all(Array.from({ length: 250 }, () => client.start(quick, [])));
  await until(Promise.all(runs.map((run) => run.returnValue)));
  await until(first.worker.close());
  const deletions: (readonly [worker: number, runs: number])[] = [];
  const deleting = (worker: number): World => ({
    ...world,
    deleteRuns: async (ids) => {
      deletions.push([worker, ids.length]);
      await new Promise<void>((resolve) => clock.setTimer(clock.now() + 100, resolve));
      return await world.deleteRuns(ids);
    },
  });
  for (const worker of [1, 2, 3]) {
    await process({ world: deleting(worker), retention: { completed: MINUTE } });
  }
  await wait(clock, 2 * MINUTE);
  expect(state.runs.size).toBe(0);
  expect(deletions.map(([, count]) => count)).toEqual([100, 100, 50]);
  expect(new Set(deletions.map(([worker]) => worker)).size).toBe(1);
});

it("deletes from a store that is too full for its record", async () => {
  const { process, client, clock, until, state } = cluster();
  const quick = workflow("full", async () => 1);
  const { fault } = await process({ retention: { completed: MINUTE } });
  const runs = await Promise.all(Array.from({ length: 150 }, () => client.start(quick, [])));
  await until(Promise.all(runs.map((run) => run.returnValue)));
  fault((operation) => {
    if (operation === "writeRecords") throw new WorldError("The store is out of memory.");
  });
  await wait(clock, 2 * MINUTE);
  expect(state.runs.size).toBe(0);
});

it("never deletes a run whose parent has not ended", async () => {
  const { process, client, clock, until, settle, state } = cluster();
  const child = workflow("child", async () => 1);
  const parent = workflow("parent", async () => {
    const run = await start(child, []);
    await createHook({ token: "on" });
    return await run.returnValue;
  });
  await process({ retention: { completed: "10 seconds" } });
  const run = await client.start<number>(parent, []);
  await settle();
  await wait(clock, 2 * MINUTE);
  expect([...state.runs.values()].map(({ row }) => row.status).sort()).toEqual(["completed", "running"]);
  await until(client.resumeHook("on", null));
  expect(await until(run.returnValue)).toBe(1);
  await wait(clock, 2 * MINUTE);
  expect(state.runs.size).toBe(0);
});

it.each([
  [{ completed: new Date() }, /completed is a length of time, not a Date/],
  [{ completed: "soon" }, /retention: \{ completed \} \}\): "soon" is not a duration/],
  [{ done: "1 day" }, /there is no option "done"/],
])("refuses the retention %j", (retention, message) => {
  const { world } = cluster();
  expect(() => new EngineWorker({ world, retention: retention as never })).toThrow(message);
});

it("shows that it lives, with what it executes, and is gone when it has closed or died", async () => {
  const { process, clock, world, until } = cluster();
  workflow("shown", async () => 1);
  const beating = { heartbeat: 10_000, workflows: ["shown"] };
  const [one, two] = [await process(beating), await process(beating)];
  const seen = async (): Promise<readonly string[]> =>
    (await workersOf(world, clock.now())).map(({ workerId }) => workerId).sort();
  expect(await seen()).toEqual([]);
  await wait(clock, 25_000);
  expect(await seen()).toEqual([one.worker.id, two.worker.id].sort());
  const [info] = await workersOf(world, clock.now());
  expect(info).toMatchObject({ pid: globalThis.process.pid, workflows: ["shown"], health: { ok: true } });
  await until(one.worker.close());
  expect(await seen()).toEqual([two.worker.id]);
  two.kill();
  await wait(clock, 31_000);
  expect(await seen()).toEqual([]);
});

it("says once that the store is away, asks it more and more seldom, and says once that it is back", async () => {
  const { process, client, clock, until } = cluster();
  const quick = workflow("quick", async () => 1);
  const { worker, fault, logs } = await process();
  await wait(clock, 5_000);
  expect(worker.health()).toMatchObject({
    ok: true,
    store: { reachable: true, error: null },
    oldestDue: null,
  });
  let claims = 0;
  fault((operation) => {
    if (operation !== "claim") return;
    claims++;
    throw new WorldError("The store at redis://app:hush@db is away.");
  });
  const since = clock.now();
  await wait(clock, 5 * MINUTE);
  expect(claims).toBeLessThan(40);
  const health = worker.health();
  expect(health).toMatchObject({ ok: false, store: { reachable: false } });
  expect(health.store.awaySince?.getTime()).toBeLessThan(since + 5_000);
  expect(health.reasons.join()).toMatch(
    /The store cannot be reached, for \d+ s now: .*redis:\/\/app:\*\*\*@db/,
  );
  fault(null);
  const run = await client.start<number>(quick, []);
  expect(await until(run.returnValue)).toBe(1);
  expect(worker.health()).toMatchObject({ ok: true, reasons: [] });
  const about = logs.filter(({ message }) => message.startsWith("the store"));
  expect(about.map(({ level }) => level)).toEqual(["warn", "warn"]);
  expect(about.map(({ message }) => message.slice(0, 28))).toEqual([
    "the store could not be asked",
    "the store answers again, and",
  ]);
});

it("tells what does not pass as an error, once", async () => {
  const { process, clock } = cluster();
  workflow("quick", async () => 1);
  const { worker, fault, logs } = await process();
  fault((operation) => {
    if (operation === "claim") throw new WorldError("The store is read-only.", { retryable: false });
  });
  await wait(clock, MINUTE);
  const errors = logs.filter(({ level }) => level === "error");
  expect(errors.map(({ message }) => message)).toEqual([
    "the store refuses this worker, which executes nothing until that is mended: it does not pass by itself",
  ]);
  expect(worker.health().reasons).toEqual([
    expect.stringMatching(
      /^The store refuses this worker, which does not pass by itself, for \d+ s now: The store is read-only\. \(perdure\/docs\/errors\/WORLD_ERROR\.md\)$/,
    ),
  ]);
});

it("is not well while a claim is not answered, and tells of the oldest run that nobody takes", async () => {
  const { process, client, clock, settle } = cluster();
  const held = step("held", async () => await new Promise<void>(() => {}));
  const slow = workflow("slow", async () => await held());
  const { worker, fault } = await process({ maxRuns: 1, concurrency: 1 });
  const at = clock.now();
  await Promise.all([1, 2, 3].map(() => client.start(slow, [])));
  await wait(clock, 5_000);
  expect(worker.health().oldestDue?.getTime()).toBe(at);
  expect(worker.health().ok).toBe(true);
  await settle();
  const idle = await process({ workflows: [] });
  idle.fault((operation) => (operation === "claim" ? new Promise<never>(() => {}) : undefined));
  await wait(clock, MINUTE);
  expect(idle.worker.health().reasons).toEqual([
    expect.stringMatching(/^The store has not answered the question for due runs for \d+ s\.$/),
  ]);
  fault(null);
});
