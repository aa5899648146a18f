import { existsSync } from "node:fs";
import type { JournalEvent, World } from "@perdure/core/world";
import { sqliteWorld } from "@perdure/world-sqlite";
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { expect, onTestFinished, test } from "vitest";
import { type Place, place } from "./process.ts";
import { blocking, gated } from "./processes/flows.ts";

// Real processes on one SQLite file, and what the system does to them.

const LEASE = 3_000;

/** A store on the test's file, for a test that starts runs and executes none. */
async function storeOf({ database }: Place): Promise<World> {
  const world = sqliteWorld({ path: database });
  configure({ world, worker: false });
  await world.open();
  onTestFinished(() => world.close());
  return world;
}

async function journalOf(world: World, runId: string): Promise<readonly JournalEvent[]> {
  return await world.listEvents(runId, 0, 1_000);
}

/** Waits for a change of the store that no process announces. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("a stopped worker is taken over, and what it says when it goes on is refused", async () => {
  const here = place();
  const world = await storeOf(here);
  const run = await start(gated, []);
  const first = here.start("worker", LEASE);
  await first.line("attempt 1");
  first.signal("SIGSTOP");
  const second = here.start("worker", 60_000);
  await second.line("attempt 2");
  here.open("attempt 1");
  first.signal("SIGCONT");
  await first.line("ended 1");
  here.open("attempt 2");
  expect(await run.returnValue).toBe(2);
  const types = (await journalOf(world, run.runId)).map(({ type }) => type);
  expect(types).toEqual([
    "run_created",
    "run_started",
    "step_created",
    "step_retrying",
    "step_completed",
    "run_completed",
  ]);
  expect(here.ledger()).toEqual(["attempt 1", "attempt 2"]);
  // The refused worker lives and works.
  second.signal("SIGKILL");
  await second.ended();
  const other = await start(gated, []);
  expect(await other.returnValue).toBe(1);
}, 60_000);

test("a step that blocks the event loop for three leases is executed once while its process lives", async () => {
  const here = place();
  const world = await storeOf(here);
  const run = await start(blocking, [3 * LEASE]);
  const [first, second] = [here.start("worker", LEASE), here.start("worker", LEASE)];
  await Promise.all([first.line("open"), second.line("open")]);
  expect(await run.returnValue).toBe(1);
  expect(here.ledger()).toEqual(["attempt 1"]);
  const [row] = await world.getRuns([run.runId]);
  expect(row?.epoch).toBe(1);
}, 60_000);

test("SIGTERM: the worker finishes its step, gives the run back and ends by the signal", async () => {
  const here = place();
  const world = await storeOf(here);
  const run = await start(gated, []);
  const first = here.start("worker", 60_000);
  await first.line("attempt 1");
  first.signal("SIGTERM");
  here.open("attempt 1");
  expect(await first.ended()).toBe("SIGTERM");
  expect(await run.returnValue).toBe(1);
  const waiting = await start(gated, []);
  const second = here.start("worker", 60_000);
  await second.line("open");
  expect(await waiting.returnValue).toBe(1);
  second.signal("SIGTERM");
  expect(await second.ended()).toBe("SIGTERM");
  expect(here.ledger()).toEqual(["attempt 1", "attempt 1"]);
  const { runs } = await world.listRuns({ limit: 10 });
  for (const { owner } of runs) expect(owner).toBeNull();
}, 60_000);

test("SIGTERM twice does not wait for the step; the run comes again when the lease is over", async () => {
  const here = place();
  const world = await storeOf(here);
  const run = await start(gated, []);
  const first = here.start("worker", LEASE);
  await first.line("attempt 1");
  let over = false;
  void first.ended().then(() => {
    over = true;
  });
  await until(async () => {
    first.signal("SIGTERM");
    return over;
  });
  expect((await world.getRuns([run.runId]))[0]?.owner).not.toBeNull();
  here.start("worker", LEASE);
  here.open("attempt 2");
  expect(await run.returnValue).toBe(2);
}, 60_000);

test("100 concurrent starts with one key in 4 processes make one run", async () => {
  const here = place();
  const world = await storeOf(here);
  const starters = Array.from({ length: 4 }, () => here.start("starter", "order 17", 25));
  await Promise.all(starters.map((starter) => starter.line("ready")));
  here.open("go");
  for (const starter of starters) expect(await starter.ended()).toBe(0);
  const ids = starters.flatMap(({ lines }) => lines.filter((line) => line.startsWith("run ")));
  expect(ids).toHaveLength(100);
  expect(new Set(ids).size).toBe(1);
  expect((await world.listRuns({ limit: 10 })).runs).toHaveLength(1);
}, 60_000);

test("a program that only starts a run and awaits it executes it too, and ends by itself", async () => {
  const here = place();
  const app = here.start("app");
  expect(await app.ended()).toBe(0);
  expect(app.lines).toEqual(["result 42"]);
}, 60_000);

test("a program that was killed completes its run when it is started again", async () => {
  const here = place();
  expect(await here.start("restarted-app").ended()).toBe("SIGKILL");
  const again = here.start("restarted-app");
  expect(await again.ended()).toBe(0);
  expect(again.lines).toEqual(["result 2"]);
  const [before, first, second] = here.ledger();
  expect(here.ledger()).toHaveLength(3);
  expect(before).toBe("before");
  expect(first).toMatch(/^deadly 1 step_/);
  expect(second).toBe(first?.replace("deadly 1", "deadly 2"));
}, 60_000);

test.each(["returnValue", "status", "configure"])(
  "a program that was killed goes on with its runs when it is started again and touches only %s",
  async (what) => {
    const here = place();
    expect(await here.start("second-life", "start").ended()).toBe("SIGKILL");
    const world = await storeOf(here);
    const [run] = (await world.listRuns({ limit: 1 })).runs;
    const again = here.start("second-life", what, run?.runId ?? "");
    await until(async () => (await world.getRuns([run?.runId ?? ""]))[0]?.status === "completed");
    here.open("over");
    expect(await again.ended()).toBe(0);
    expect(here.ledger()).toEqual(["attempt 1", "attempt 2"]);
  },
  60_000,
);

test("a program executes nothing without a worker, and does not open its store by being imported", async () => {
  const here = place();
  const imported = here.start("second-life", "nothing");
  expect(await imported.ended()).toBe(0);
  expect(imported.lines).toEqual(["imported"]);
  expect(existsSync(here.database)).toBe(false);
  expect(await here.start("second-life", "start").ended()).toBe("SIGKILL");
  const world = await storeOf(here);
  const [run] = (await world.listRuns({ limit: 1 })).runs;
  const without = here.start("second-life", "without a worker", run?.runId ?? "");
  expect(await without.ended()).toBe(0);
  expect(without.lines).toEqual(["running"]);
  expect(here.ledger()).toEqual(["attempt 1"]);
}, 60_000);

test("a program that awaits start(), resumeHook() and cancel() while the store is away lives until they settle", async () => {
  const app = place().start("store-away");
  expect(await app.ended()).toBe(0);
  expect(app.lines).toEqual([
    "started",
    "HookNotFoundError",
    "cancelled",
    expect.stringMatching(/^The store is away\. .*Whether the run was created is not known/),
  ]);
}, 60_000);

test("promises that a workflow does not await end nobody's process when they are rejected", async () => {
  const here = place();
  const app = here.start("stray", "workflow");
  expect(await app.ended()).toBe(0);
  expect(app.lines).toEqual([
    "warn an attempt of a step failed: it is tried again as the step's retry options say, and after the last one the workflow gets the error",
    // Of the step that failed; those that the end of the run leaves behind are nobody's business.
    "warn a promise that a workflow made was rejected and nobody awaits it: await it, or catch its errors",
    "WorkflowRunCancelledError",
  ]);
}, 60_000);

test("those of the program around it end the process as they always do", async () => {
  const here = place();
  const app = here.start("stray", "program");
  await expect(app.ended()).rejects.toThrow(/Error: nobody handles this\n {4}at .*stray\.ts:\d+/);
}, 60_000);
