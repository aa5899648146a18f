import { getStepMetadata, once, RetryableError, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import {
  FatalError,
  IdempotencyMismatchError,
  WorkflowRunCancelledError,
  WorkflowRuntimeError,
} from "@perdure/core/errors";
import { decode } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { registry } from "../../src/define/registry.ts";
import { cluster, gate, LEASE } from "./cluster.ts";

// once(): one execution of a step for a key, over all runs and machines. Effects are counted, not calls.

const caught = (error: unknown): unknown => error;

function charging() {
  const effects: string[] = [];
  const under = gate();
  const charge = step("charge", async (customer: string, cents: number) => {
    effects.push(getStepMetadata().stepId);
    await under.promise;
    return `${customer} ${cents}`;
  });
  return { effects, under, charge };
}

it("executes a step once for fifty runs, which wait without lease or slot, and for later ones, over crashes and replays", async () => {
  const { process, client, clock, until, when, settle, state, row } = cluster();
  const { effects, under, charge } = charging();
  const flow = workflow("flow", async () => {
    const result = await once("invoice 1", charge, "cus_1", 42);
    await sleep("1h");
    return result;
  });
  const first = await process({ concurrency: 1, maxRuns: 3 });
  const runs = await Promise.all(Array.from({ length: 50 }, () => client.start<string>(flow, [])));
  await when(() => effects.length === 1);
  await settle();
  expect(runs.filter(({ runId }) => row(runId).owner !== null || row(runId).dueAt !== null)).toEqual([]);
  first.kill();
  await clock.advance(LEASE + 1);
  const second = await process({ concurrency: 1, maxRuns: 3 });
  under.open();
  expect(await until(Promise.all(runs.map(({ returnValue }) => returnValue)))).toEqual(
    Array(50).fill("cus_1 42"),
  );
  const late = await client.start<string>(flow, []);
  expect(await until(late.returnValue)).toBe("cus_1 42");
  // The attempt that was cut off, and the one after it.
  expect(new Set(effects).size).toBe(1);
  expect([...state.runs.values()].filter(({ row }) => row.workflow === "step:charge")).toHaveLength(1);
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("is called by programs and by steps; options of the step hold; the run is named", async () => {
  const { process, client, until, row, journal } = cluster();
  let effects = 0;
  const flaky = step(
    "flaky",
    async (n: number) => {
      effects++;
      if (effects < 3) throw new Error("again");
      return n + 1;
    },
    { maxRetries: 2, backoff: () => 10 },
  );
  const asks = step("asks", async () => [await once("k", flaky, 1), (await once.run("k", flaky, 1)).runId]);
  const viaStep = workflow("via a step", () => asks());
  const inFlow = workflow("in a flow", async () => (await once.run("k", flaky, 1)).runId);
  await process({ concurrency: 1 });
  const run = await client.start<[number, string]>(viaStep, []);
  const [value, runId] = await until(run.returnValue);
  expect([value, effects]).toEqual([2, 3]);
  expect(row(runId)).toMatchObject({
    status: "completed",
    idempotencyKey: "k",
    attributes: { $caller: run.runId },
  });
  expect(await until((await client.start<string>(inFlow, [])).returnValue)).toBe(runId);
  expect(decode(journal(runId)[0]?.data ?? null)).toEqual(["flaky", 1]);
});

it("gives the error to all who wait, and has the next caller go on under the same stepId, or keeps it", async () => {
  const { process, client, until, state } = cluster();
  const effects: string[] = [];
  let broken = true;
  const charge = step("charge", async () => {
    effects.push(getStepMetadata().stepId);
    if (broken) throw new FatalError("declined");
    return "charged";
  });
  const retries = workflow("retries", async () => await once({ key: "k" }, charge).catch(caught));
  const keeps = workflow(
    "keeps",
    async () => await once({ key: "k", onError: "keep" }, charge).catch(caught),
  );
  await process();
  const first = await Promise.all(Array.from({ length: 5 }, () => client.start(retries, [])));
  for (const error of await until(Promise.all(first.map(({ returnValue }) => returnValue)))) {
    expect(error).toBeInstanceOf(FatalError);
    expect(error).toMatchObject({ message: "declined", stepName: "charge" });
  }
  expect(effects).toHaveLength(1);
  broken = false;
  expect(await until((await client.start(keeps, [])).returnValue)).toMatchObject({ message: "declined" });
  const next = await Promise.all(Array.from({ length: 5 }, () => client.start(retries, [])));
  expect(await until(Promise.all(next.map(({ returnValue }) => returnValue)))).toEqual(
    Array(5).fill("charged"),
  );
  expect(await until((await client.start(keeps, [])).returnValue)).toBe("charged");
  expect(effects).toEqual([effects[0], effects[0]]);
  expect([...state.runs.values()].filter(({ row }) => row.workflow === "step:charge")).toHaveLength(2);
});

it("counts for as long as its ttl, and for the same arguments only; each step has keys of its own", async () => {
  const { process, client, clock, until } = cluster();
  let effects = 0;
  const count = step("count", async (_?: number) => ++effects);
  const other = step("other", async () => "other");
  const flow = workflow("flow", async (n: number) => {
    await once("k", other);
    return await once({ key: "k", ttl: "1h" }, count, n).catch(caught);
  });
  const of = async (n: number) => await until((await client.start(flow, [n])).returnValue);
  await process();
  expect(await of(1)).toBe(1);
  expect(await of(1)).toBe(1);
  expect(await of(2)).toBeInstanceOf(IdempotencyMismatchError);
  await clock.advance(3_600_000);
  expect(await of(2)).toBe(2);
});

it("is executed by whoever has the step, and by nobody else", async () => {
  const { process, client, clock, until, when, settle, state } = cluster();
  const effects: number[] = [];
  const charge = step("charge", async () => {
    effects.push(getStepMetadata().attempt);
    if (effects.length === 1) throw new RetryableError("later", { retryAfter: "1m" });
  });
  const flow = workflow("flow", async () => await once("k", charge));
  const { logs } = await process();
  const run = await client.start(flow, []);
  await when(() => effects.length === 1);
  await settle();
  // From now on a program serves the World that does not have the step.
  const made = registry.stepFunctions.get("charge") as () => Promise<void>;
  registry.stepFunctions.delete("charge");
  await clock.advance(300_000);
  expect(effects).toEqual([1]);
  const executing = [...state.runs.values()].find(({ row }) => row.workflow === "step:charge");
  expect(executing?.row).toMatchObject({ status: "running", owner: null });
  registry.stepFunctions.set("charge", made);
  await until(run.returnValue);
  expect(effects).toEqual([1, 2]);
  expect(logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("goes on when a caller is cancelled that waits, and is cancelled by its run only", async () => {
  const { process, client, until, when, state, settle } = cluster();
  const { effects, under, charge } = charging();
  const flow = workflow("flow", async () => await once("k", charge, "a", 1));
  await process();
  const [first, second] = [await client.start(flow, []), await client.start(flow, [])];
  await when(() => effects.length === 1);
  await first.cancel();
  await expect(until(first.returnValue)).rejects.toThrow(WorkflowRunCancelledError);
  await settle();
  under.open();
  expect(await until(second.returnValue)).toBe("a 1");
  const hangs = step("hangs", async () => await gate().promise);
  const waits = workflow("waits", async () => await once("other", hangs));
  const waiter = await client.start(waits, []);
  await settle();
  const executing =
    [...state.runs.values()].find(({ row }) => row.workflow === "step:hangs")?.row.runId ?? "";
  await client.getRun(executing).cancel();
  expect(await until(waiter.returnValue.catch(caught))).toMatchObject({
    cause: { name: "WorkflowRunCancelledError" },
  });
  // It stays cancelled until its key is given back.
  await client.getRun(executing).releaseKey();
});

it("refuses a key within its own step, however it comes there", async () => {
  const { process, client, until } = cluster();
  const direct: () => Promise<unknown> = step("direct", async () => await once("k", direct).catch(caught));
  const child = workflow("child", async () => await once("k", viaChild).catch(caught));
  const viaChild: () => Promise<unknown> = step(
    "via a child",
    async () => await (await start(child, [])).returnValue,
  );
  const outer: () => Promise<unknown> = step("outer", async () => await once("k", inner));
  const inner: () => Promise<unknown> = step("inner", async () => await once("k", outer).catch(caught));
  const flow = workflow(
    "flow",
    async (which: number) => await once("k", [direct, viaChild, outer][which] as never),
  );
  await process({ concurrency: 1 });
  for (const which of [0, 1, 2]) {
    const error = await until((await client.start(flow, [which])).returnValue);
    expect(error).toBeInstanceOf(WorkflowRuntimeError);
    expect(String(error)).toMatch(/within its own step/);
  }
});

it("refuses two keys whose steps wait for each other, whoever asked for them first", async () => {
  const { process, client, until, when } = cluster();
  const both = gate();
  let begun = 0;
  const meet = async (): Promise<void> => {
    if (++begun === 2) both.open();
    await both.promise;
  };
  const one: () => Promise<unknown> = step(
    "one",
    async () => {
      await meet();
      return await once("k", two);
    },
    { maxRetries: 0 },
  );
  const two: () => Promise<unknown> = step(
    "two",
    async () => {
      await meet();
      return await once("k", one);
    },
    { maxRetries: 0 },
  );
  const flow = workflow(
    "flow",
    async (which: number) => await once("k", [one, two][which] as never).catch(caught),
  );
  await process();
  const runs = await Promise.all([client.start(flow, [0]), client.start(flow, [1])]);
  await when(() => begun === 2);
  const errors = await until(Promise.all(runs.map(({ returnValue }) => returnValue)));
  for (const error of errors) expect(String(error)).toMatch(/within its own step/);
});

it("refuses what is no step, and options that cannot be meant", async () => {
  const { process, client, until } = cluster();
  const real = step("real", async () => {});
  const plain = async (): Promise<void> => {};
  await process();
  const asks = step("asks", async () => {
    const errors: unknown[] = [];
    for (const call of [
      () => once("k", plain),
      () => once("k", workflow("flow", plain)),
      () => once("", real),
      () => once({ key: "k".repeat(256) }, real),
      () => once({} as never, real),
      () => once({ key: "k", onError: "ignore" as never }, real),
      () => once({ key: "k", ttl: "soon" as never }, real),
      () => once({ key: "k", tll: 1 } as never, real),
    ]) {
      errors.push(await call().catch(String));
    }
    return errors;
  });
  const viaStep = workflow("via a step", () => asks());
  const errors = await until((await client.start<string[]>(viaStep, [])).returnValue);
  const expected = [
    /"plain", which is not a step/,
    /not a step/,
    /key: must be a string of 1 to 255/,
    /key: must/,
  ];
  for (const [n, pattern] of [
    ...expected,
    /key is needed/,
    /"retry" or "keep"/,
    /ttl/,
    /no option "tll"/,
  ].entries()) {
    expect(errors[n]).toMatch(pattern);
  }
});

it("keeps ids for perdure's own workflows", () => {
  cluster();
  for (const id of ["step:charge", "$perdure", "$perdure/release_key"]) {
    expect(() => workflow(id, async () => {})).toThrow(/perdure's own/);
  }
});

it("has a queue for steps with ids of any length", async () => {
  const { process, client, until, state } = cluster();
  const ids = ["x".repeat(255), `${"x".repeat(254)}y`, "\ud800", "a\0b"];
  const steps = ids.map((id) => step(id, async () => id));
  const flow = workflow(
    "flow",
    async () => await Promise.all(steps.map((one) => once("k".repeat(255), one))),
  );
  await process();
  expect(await until((await client.start(flow, [])).returnValue)).toEqual(ids);
  const queues = [...state.runs.values()].map(({ row }) => row.workflow).filter((name) => name !== "flow");
  expect(new Set(queues).size).toBe(4);
  for (const queue of queues) expect(queue.length).toBeLessThanOrEqual(255);
});
