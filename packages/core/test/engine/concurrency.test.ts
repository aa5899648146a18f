import { acquireLock, continueAsNew, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { WorkflowRunCancelledError } from "@perdure/core/errors";
import { deploy } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

it("queues runs of one key beyond the limit, in the order of the starts, before their first line", async () => {
  const c = cluster();
  const order: string[] = [];
  const note = step("note", async (text: string) => void order.push(text));
  const run = workflow(
    "queued",
    async (customer: string, n: number) => {
      await note(`+${customer}${n}`);
      await sleep("1m");
      await note(`-${customer}${n}`);
    },
    { concurrency: { key: (customer) => customer, limit: 1, onLimit: "queue" } },
  );
  await c.process();
  const runs = [];
  for (const [customer, n] of [
    ["a", 1],
    ["a", 2],
    ["b", 1],
    ["a", 3],
  ]) {
    runs.push(await c.client.start(run, [customer, n]));
    await c.settle();
  }
  expect(order).toEqual(["+a1", "+b1"]);
  expect(c.row(runs[1]?.runId ?? "")).toMatchObject({ owner: null, dueAt: null });
  await c.until(Promise.all(runs.map((each) => each.returnValue)));
  expect(order.filter((text) => text.includes("a"))).toEqual(["+a1", "-a1", "+a2", "-a2", "+a3", "-a3"]);
});

it("skips a run that is one too many: it ends cancelled, with the reason", async () => {
  const c = cluster();
  let calls = 0;
  const body = step("body of skipped", async () => void calls++);
  const run = workflow("skipped", async () => {
    await body();
    await sleep("1m");
  });
  run.concurrency = { limit: 1, onLimit: "skip" };
  await c.process();
  const first = await c.client.start(run, []);
  await c.settle();
  const second = await c.client.start(run, []);
  const error = await c.until(second.returnValue.catch((thrown: unknown) => thrown));
  expect(WorkflowRunCancelledError.is(error) && error.reason).toContain(first.runId);
  await c.until(first.returnValue);
  expect(calls).toBe(1);
  await c.settle();
  await c.until((await c.client.start(run, [])).returnValue);
  expect(calls).toBe(2);
});

it("cancels the oldest, also those that wait, and begins when there is room", async () => {
  const c = cluster();
  const run = workflow("newest", async (n: number) => {
    await sleep("1m");
    return n;
  });
  run.concurrency = { limit: 2, onLimit: "cancel-oldest" };
  await c.process();
  const runs = [];
  for (let n = 0; n < 5; n++) runs.push(await c.client.start(run, [n]));
  const ends = await c.until(
    Promise.all(runs.map((each) => each.returnValue.catch((error) => WorkflowRunCancelledError.is(error)))),
  );
  expect(ends).toEqual([true, true, true, 3, 4]);
});

it("goes by the options under which a run began", async () => {
  const c = cluster();
  const define = (limited: boolean) =>
    workflow(
      "redeployed",
      async (_: string) => {
        await sleep("1m");
        return "done";
      },
      limited ? { concurrency: { limit: 1 } } : {},
    );
  const former = await c.process();
  const unlimited = await c.client.start(define(false), ["began without"]);
  await c.settle();
  former.kill();
  deploy();
  const limited = define(true);
  const second = await c.process();
  const run = await c.client.start(limited, ["began with"]);
  await c.settle();
  second.kill();
  deploy();
  define(false);
  await c.process();
  expect(await c.until(Promise.all([unlimited.returnValue, run.returnValue]))).toEqual(["done", "done"]);
  expect(c.types(unlimited.runId)).not.toContain("system_step_created");
  expect(c.types(run.runId)).toContain("system_step_created");
});

it("keeps its place over continueAsNew, and changes it with the key", async () => {
  const c = cluster();
  let inside = 0;
  let most = 0;
  const enter = step("enter generation", async () => {
    inside++;
    most = Math.max(most, inside);
  });
  const leave = step("leave generation", async () => void inside--);
  const run = workflow("keeps its place", async (key: string, n: number): Promise<string> => {
    await enter();
    await sleep("10s");
    await leave();
    if (n > 0) return await continueAsNew([n === 1 ? "other" : key, n - 1]);
    return key;
  });
  run.concurrency = { key: (key) => key };
  await c.process();
  const first = await c.client.start(run, ["one", 2]);
  await c.settle();
  const second = await c.client.start(run, ["one", 0]);
  expect(await c.until(Promise.all([first.returnValue, second.returnValue]))).toEqual(["other", "one"]);
  expect(most).toBeLessThanOrEqual(2);
});

it("fails a run whose key function gives no key, and refuses options that it does not know", async () => {
  const c = cluster();
  const run = workflow("no key", async () => {});
  run.concurrency = { key: () => 1 as never };
  await c.process();
  await expect(c.until((await c.client.start(run, [])).returnValue)).rejects.toThrow("must give a string");
  const wrong = (options: unknown) => () => workflow("wrong options", async () => {}, options as never);
  expect(wrong({ concurency: {} })).toThrow("concurrency");
  expect(wrong({ concurrency: { onlimit: "skip" } })).toThrow("onLimit");
  expect(wrong({ concurrency: { onLimit: "drop" } })).toThrow("must be one of");
  expect(wrong({ singleton: { mode: "replace" } })).toThrow("must be one of");
  const slip = workflow("slip", async () => {});
  Object.assign(slip, { singelton: {} });
  await expect(c.client.start(slip, [])).rejects.toThrow("singleton");
});

it("has one run of a singleton key at a time: a start gives the one that is there", async () => {
  const c = cluster();
  const run = workflow("only one", async (_: string) => await sleep("1m"), {
    singleton: { key: (customer) => customer, mode: "skip" },
  });
  await c.process();
  const first = await c.client.start(run, ["a"]);
  expect((await c.client.start(run, ["a"])).runId).toBe(first.runId);
  expect((await c.client.start(run, ["b"])).runId).not.toBe(first.runId);
  await c.until(first.returnValue);
  expect((await c.client.start(run, ["a"])).runId).not.toBe(first.runId);
  expect(c.state.records.size).toBe(0);
});

it("cancels the run of a singleton key where that is asked for, and begins after its end", async () => {
  const c = cluster();
  const order: string[] = [];
  const note = step("note of singleton", async (text: string) => void order.push(text));
  const run = workflow("latest only", async (n: number) => {
    try {
      await note(`+${n}`);
      await sleep("1h");
    } finally {
      await note(`-${n}`);
    }
  });
  run.singleton = { mode: "cancel" };
  const parent = workflow("starts it", async (n: number) => (await start(run, [n])).runId);
  const inStep = step("starts it in a step", async (n: number) => (await start(run, [n])).runId);
  const caller = workflow("calls the step", async (n: number) => await inStep(n));
  await c.process();
  const first = await c.client.start(run, [1]);
  await c.settle();
  const second = await c.until(c.client.start(run, [2]));
  await c.settle();
  const third = await c.until((await c.client.start<string>(parent, [3])).returnValue);
  await c.settle();
  const fourth = await c.until((await c.client.start<string>(caller, [4])).returnValue);
  await c.settle();
  const statuses = [first.runId, second.runId, third, fourth].map((runId) => c.row(runId).status);
  expect(statuses).toEqual(["cancelled", "cancelled", "cancelled", "running"]);
  expect(order).toEqual(["+1", "-1", "+2", "-2", "+3", "-3", "+4"]);
});

it("holds locks of the code apart from those of the option", async () => {
  const c = cluster();
  const run = workflow("both", async () => (await acquireLock("both", { timeout: 0 })).key, {
    concurrency: { key: () => "both" },
  });
  await c.process();
  expect(await c.until((await c.client.start(run, [])).returnValue)).toBe("both");
});
