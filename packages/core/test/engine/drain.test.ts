import { createHook, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { type DrainOptions, type DrainResult, drain } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { type Cluster, cluster, gate } from "./cluster.ts";

// A drain works off what is due and gives every lease back within its budget.

/** A drain of a process of its own, on the cluster's store and clock. */
function drainOf({ state, clock }: Cluster, options: Partial<DrainOptions> = {}): Promise<DrainResult> {
  const world = memoryWorld({ state });
  return drain({ world, clock, budgetMs: 10_000, logger: "silent", random: () => 0.5, ...options });
}

function owners({ state }: Cluster): readonly (string | null)[] {
  return [...state.runs.values()].map(({ row }) => row.owner);
}

it("works off what is due, and says when the next run is", async () => {
  const all = cluster();
  const { client, clock, until } = all;
  const double = step("double", async (n: number) => n * 2);
  const naps = workflow("naps", async (n: number) => {
    const doubled = await double(n);
    await sleep("1 hour");
    return await double(doubled);
  });
  const waits = workflow("waits", async () => await createHook());
  const run = await client.start<number>(naps, [2]);
  await client.start(waits, []);
  const began = clock.now();
  const first = await until(drainOf(all));
  expect(first).toEqual({ processed: 2, due: 0, nextDueAt: new Date(began + 3_600_000) });
  expect(clock.now() - began).toBeLessThan(1000);
  expect(owners(all)).toEqual([null, null]);
  await clock.advance(3_600_000);
  expect(await until(drainOf(all))).toEqual({ processed: 1, due: 0, nextDueAt: null });
  expect(await until(run.returnValue)).toBe(8);
});

it("has nothing to do in an empty store", async () => {
  const all = cluster();
  workflow("some", async () => 1);
  expect(await all.until(drainOf(all))).toEqual({ processed: 0, due: 0, nextDueAt: null });
});

it("ends runs with their children and what they owe", async () => {
  const all = cluster();
  const { client, until, row } = all;
  const child = workflow("child", async (n: number) => n + 1);
  const parent = workflow("parent", async () => {
    const runs = await Promise.all([1, 2, 3].map((n) => start(child, [n])));
    return await Promise.all(runs.map((run) => run.returnValue));
  });
  const run = await client.start(parent, []);
  expect(await until(drainOf(all))).toEqual({ processed: 4, due: 0, nextDueAt: null });
  expect(row(run.runId).status).toBe("completed");
});

it("takes no more runs near the end of its budget, and says how many it left", async () => {
  const all = cluster();
  const { client, clock, until } = all;
  const second = step("second", async () => {
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + 1000, resolve));
  });
  const one = workflow("one", async () => await second());
  for (let i = 0; i < 20; i++) await client.start(one, []);
  const began = clock.now();
  const result = await until(drainOf(all, { concurrency: 2 }));
  expect(clock.now() - began).toBeLessThanOrEqual(10_000);
  expect(owners(all).every((owner) => owner === null)).toBe(true);
  const left = [...all.state.runs.values()].filter(({ row }) => row.status !== "completed").length;
  expect(left).toBeGreaterThan(0);
  expect(result.due).toBe(left);
  expect(result.nextDueAt?.getTime()).toBeLessThanOrEqual(clock.now());
  while ((await until(drainOf(all, { concurrency: 2 }))).due > 0);
  expect([...all.state.runs.values()].every(({ row }) => row.status === "completed")).toBe(true);
});

it("interrupts a step that is longer than the rest of the budget, and gives its run back before the deadline", async () => {
  const all = cluster();
  const { client, clock, until, types, state } = all;
  const attempts: number[] = [];
  let aborted = 0;
  const long = step("long", async () => {
    const { attempt, signal } = getStepMetadata();
    attempts.push(attempt);
    signal.addEventListener("abort", () => aborted++);
    if (attempt === 1) await gate().promise;
    return attempt;
  });
  const flow = workflow("flow", async () => await long());
  const run = await client.start<number>(flow, []);
  const began = clock.now();
  const draining = drainOf(all);
  await clock.advance(9_999);
  const row = state.runs.get(run.runId)?.row;
  expect(row?.owner).toBeNull();
  const result = await until(draining);
  expect(clock.now() - began).toBeLessThanOrEqual(10_000);
  expect(result).toMatchObject({ processed: 1, due: 1 });
  expect(aborted).toBe(1);
  expect(types(run.runId)).toContain("step_retrying");
  await until(drainOf(all));
  expect(attempts).toEqual([1, 2]);
  expect(await until(run.returnValue)).toBe(2);
});

it("lets a step that fits into the rest of the budget come to its end", async () => {
  const all = cluster();
  const { client, clock, until } = all;
  const slow = step("slow", async () => {
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + 7_500, resolve));
    return getStepMetadata().attempt;
  });
  const after = step("after", async () => "after");
  const flow = workflow("flow", async () => [await slow(), await after()]);
  const run = await client.start(flow, []);
  expect(await until(drainOf(all))).toMatchObject({ due: 1 });
  expect(await until(drainOf(all))).toMatchObject({ processed: 1, due: 0 });
  expect(await until(run.returnValue)).toEqual([1, "after"]);
});

it("waits for a run of another process no longer than to say when its lease ends", async () => {
  const all = cluster();
  const { client, clock, until, process, settle } = all;
  const held = workflow("held", async () => await step("hang", async () => await gate().promise)());
  const other = await process();
  await client.start(held, []);
  await settle();
  const result = await until(drainOf(all));
  expect(result).toMatchObject({ processed: 0, due: 0 });
  expect(result.nextDueAt?.getTime()).toBeGreaterThan(clock.now());
  other.kill();
});

it("refuses budgets that are none", async () => {
  for (const budgetMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(drain({ world: memoryWorld(), budgetMs })).rejects.toThrow(/drain\(\{ budgetMs \}\)/);
  }
  // @ts-expect-error: an option that there is not.
  await expect(drain({ world: memoryWorld(), budget: 5 })).rejects.toThrow(/budgetMs/);
});
