import { createHook, getStepMetadata, shield, sleep, step, workflow } from "@perdure/core";
import { getRun, type Run, start } from "@perdure/core/api";
import {
  FatalError,
  IdempotencyConflictError,
  IdempotencyMismatchError,
  NonDeterminismError,
  WorkflowRunCancelledError,
} from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// What a start does about the run that has its key: replace it, go on with it; and keys that are given back.

const replace = { idempotencyKey: "k", onConflict: "replace" } as const;
const caught = (error: unknown): unknown => error;

it("replaces a live run when it has ended, its clean-up included, with other arguments", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const order: string[] = [];
  const note = step("note", async (what: string) => void order.push(what));
  const flow = workflow("flow", async (n: number) => {
    await note(`begins ${n}`);
    try {
      await createHook();
    } finally {
      await shield(async () => {
        await sleep("1m");
        await note(`cleans ${n}`);
      });
    }
  });
  await process();
  const first = await client.start(flow, [1], { idempotencyKey: "k" });
  await settle();
  const replaced = client.start(flow, [2], replace);
  const result = first.returnValue.catch(caught);
  await clock.advance(30_000);
  expect(row(first.runId).status).toBe("running");
  const second = await until(replaced);
  await settle();
  expect(order).toEqual(["begins 1", "cleans 1", "begins 2"]);
  expect(await until(result)).toBeInstanceOf(WorkflowRunCancelledError);
  expect(String(await result)).toContain(`replaced by run "${second.runId}"`);
  expect((await client.start(flow, [2], { idempotencyKey: "k" })).runId).toBe(second.runId);
  await expect(client.start(flow, [1], { idempotencyKey: "k" })).rejects.toThrow(IdempotencyMismatchError);
});

it("takes the key of a run that has ended over at once, and holds it under its own terms", async () => {
  const { process, client, clock, until } = cluster();
  const flow = workflow("flow", async (n: number) => n);
  await process();
  const first = await client.start(flow, [1], { idempotencyKey: "k" });
  await until(first.returnValue);
  const second = await client.start(flow, [2], { ...replace, ttl: "1h" });
  expect(second.runId).not.toBe(first.runId);
  expect(await until(second.returnValue)).toBe(2);
  expect((await client.start(flow, [2], { idempotencyKey: "k" })).runId).toBe(second.runId);
  await clock.advance(3_600_001);
  expect((await client.start(flow, [3], { idempotencyKey: "k" })).runId).not.toBe(second.runId);
});

it("of several that replace at once each makes one run, the last one stays, and nobody hangs", async () => {
  const { process, client, until, state, settle } = cluster();
  const flow = workflow("flow", async (n: number) => {
    await createHook();
    return n;
  });
  await process();
  const first = await client.start(flow, [0], replace);
  await settle();
  const runs = await until(Promise.all([1, 2, 3, 4].map((n) => client.start(flow, [n], replace))));
  expect(new Set([first, ...runs].map(({ runId }) => runId)).size).toBe(5);
  await settle();
  const live = [...state.runs.values()].filter(({ row }) => row.status === "running");
  expect(live.map(({ row }) => row.runId)).toEqual([runs.at(-1)?.runId]);
  expect(state.names.get("start:4:flow:k", 0)?.runId).toBe(runs.at(-1)?.runId);
});

it("replaces in a workflow, without lease and slot meanwhile, the same in a replay", async () => {
  const { process, client, clock, until, when, settle, row, types } = cluster();
  const flow = workflow("flow", async (n: number) => {
    try {
      await createHook();
    } finally {
      await shield(() => sleep("1h"));
    }
    return n;
  });
  const replaces = workflow("replaces", async (n: number) => {
    const run = await start(flow, [n], replace);
    await sleep("1h");
    return run.runId;
  });
  const worker = await process();
  const first = await client.start(flow, [1], { idempotencyKey: "k" });
  await settle();
  const run = await client.start<string>(replaces, [2]);
  await when(() => row(run.runId).owner === null && row(run.runId).dueAt === null);
  worker.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  const third = await process();
  await when(() => row(first.runId).status === "cancelled");
  await settle();
  second.kill();
  const next = await until(run.returnValue);
  expect(row(next)).toMatchObject({ status: "running", attributes: { $parent: run.runId } });
  expect(types(run.runId).filter((type) => type === "system_step_created")).toHaveLength(3);
  expect(third.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("replaces in a step: another attempt has the same run, and its own run it cannot replace", async () => {
  const { process, client, until, state, row } = cluster();
  const flow = workflow("flow", async (n: number) => {
    await createHook();
    return n;
  });
  const runIds: string[] = [];
  const replaces = step("replaces", async () => {
    const run = await start(flow, [getStepMetadata().attempt], replace);
    runIds.push(run.runId);
    if (runIds.length < 3) throw new Error("again");
    return run;
  });
  const starts = workflow("starts", () => replaces());
  await process();
  const first = await client.start(flow, [0], { idempotencyKey: "k" });
  const run = await client.start<Run>(starts, []);
  const { runId } = await until(run.returnValue);
  expect(new Set(runIds)).toEqual(new Set([runId]));
  expect(row(first.runId).status).toBe("cancelled");
  expect(row(runId)).toMatchObject({ status: "running", idempotencyKey: "k" });
  expect([...state.runs.values()].filter(({ row }) => row.workflow === "flow")).toHaveLength(2);

  const replacesItself: () => Promise<unknown> = step("itself", () =>
    start(selfish, [], { idempotencyKey: "own", onConflict: "replace" }).catch(caught),
  );
  const selfish: () => Promise<string[]> = workflow("selfish", async () => {
    const inCode = await start(selfish, [], { idempotencyKey: "own", onConflict: "replace" }).catch(caught);
    return [String(inCode), String(await replacesItself())];
  });
  const own = await client.start<string[]>(selfish, [], { idempotencyKey: "own" });
  for (const message of await until(own.returnValue))
    expect(message).toMatch(/in place of itself.*continueAsNew/);
});

it("goes on for a failed run under its key: nothing is done twice, and the step keeps its id", async () => {
  const { process, client, until, state, settle } = cluster();
  const calls: string[] = [];
  let broken = true;
  const reserve = step("reserve", async () => void calls.push("reserve"));
  const charge = step("charge", async () => {
    calls.push(getStepMetadata().stepId);
    if (broken) throw new FatalError("declined");
    return "charged";
  });
  const flow = workflow("flow", async (_: number) => {
    await reserve();
    return await charge();
  });
  await process();
  const options = { idempotencyKey: "k", failedRuns: "retry" } as const;
  const first = await client.start(flow, [1], options);
  await until(first.returnValue.catch(caught));
  expect((await client.start(flow, [1], { idempotencyKey: "k" })).runId).toBe(first.runId);
  await expect(client.start(flow, [2], options)).rejects.toThrow(IdempotencyMismatchError);
  broken = false;
  const again = await Promise.all([client.start(flow, [1], options), client.start(flow, [1], options)]);
  const inFlow = workflow("in a workflow", async () => await (await start(flow, [1], options)).returnValue);
  const inStep = step("in a step", async () => await (await start(flow, [1], options)).returnValue);
  const viaStep = workflow("via a step", () => inStep());
  const others = await Promise.all([client.start(inFlow, []), client.start(viaStep, [])]);
  expect(await until(Promise.all([...again, ...others].map(({ returnValue }) => returnValue)))).toEqual(
    Array(4).fill("charged"),
  );
  expect(again[0]?.runId).toBe(again[1]?.runId);
  expect(calls).toEqual(["reserve", calls[1], calls[1]]);
  await settle();
  expect([...state.runs.values()].filter(({ row }) => row.workflow === "flow")).toHaveLength(2);
});

it("leaves a cancelled run its key, and a failed one that is to be rejected is not", async () => {
  const { process, client, until } = cluster();
  let broken = true;
  const fails = step("fails", async () => {
    if (broken) throw new FatalError("no");
  });
  const flow = workflow("flow", async (wait: boolean) => (wait ? await createHook() : await fails()));
  await process();
  const cancelled = await client.start(flow, [true], { idempotencyKey: "cancelled" });
  await cancelled.cancel();
  await until(cancelled.returnValue.catch(caught));
  const retry = { failedRuns: "retry" } as const;
  const same = await client.start(flow, [true], { idempotencyKey: "cancelled", ...retry });
  expect(same.runId).toBe(cancelled.runId);
  const failed = await client.start(flow, [false], { idempotencyKey: "failed" });
  await until(failed.returnValue.catch(caught));
  broken = false;
  const options = { idempotencyKey: "failed", onConflict: "reject", ...retry } as const;
  const again = await client.start(flow, [false], options);
  expect(again.runId).not.toBe(failed.runId);
  await until(again.returnValue);
  await expect(client.start(flow, [false], options)).rejects.toThrow(IdempotencyConflictError);
  await expect(client.start(flow, [false], { ...options, onConflict: "replace" })).rejects.toThrow(
    /leave one/,
  );
});

it("refuses other arguments, whether the run that has the key is live, has ended, or has failed", async () => {
  const { process, client, until, settle } = cluster();
  const fails = step("fails", async () => Promise.reject(new FatalError("no")));
  const flow = workflow("flow", async (how: string, _: number) => {
    if (how === "waits") await createHook();
    if (how === "fails") await fails();
  });
  await process();
  for (const how of ["waits", "ends", "fails"]) {
    const run = await client.start(flow, [how, 1], { idempotencyKey: how });
    if (how !== "waits") await until(run.returnValue.catch(caught));
    await settle();
    for (const onConflict of ["return", "reject"] as const) {
      const other = client.start(flow, [how, 2], { idempotencyKey: how, onConflict });
      await expect(other).rejects.toThrow(IdempotencyMismatchError);
    }
  }
});

it("tells the key of a run, in workflows too", async () => {
  const { process, client, until, row } = cluster();
  const flow = workflow("flow", async () => {});
  const keys = workflow("keys", async (...ids: string[]) => Promise.all(ids.map((id) => getRun(id).key)));
  const starts = step("starts", async () => await (await start(flow, [])).key);
  const inStep = workflow("in a step", () => starts());
  await process();
  const withKey = await client.start(flow, [], { idempotencyKey: "k" });
  const without = await client.start(flow, []);
  expect([await withKey.key, await without.key]).toEqual(["k", undefined]);
  const run = await client.start<unknown[]>(keys, [withKey.runId, without.runId]);
  expect(await until(run.returnValue)).toEqual(["k", undefined]);
  const stepRun = await client.start(inStep, []);
  expect(await until(stepRun.returnValue)).toBeUndefined();
  expect(row(stepRun.runId).status).toBe("completed");
});

it("frees the key of a live run and of one that has ended; the run stays as it is", async () => {
  const { process, client, clock, until, settle, row, types, state } = cluster();
  const flow = workflow("flow", async (wait: boolean) => {
    if (wait) await createHook({ token: "t" });
    return wait;
  });
  const worker = await process();
  const live = await client.start(flow, [true], { idempotencyKey: "live", ttl: "1 day" });
  await settle();
  await until(live.releaseKey());
  await until(live.releaseKey());
  expect(types(live.runId).filter((type) => type === "key_released")).toHaveLength(1);
  const next = await client.start(flow, [false], { idempotencyKey: "live" });
  expect(next.runId).not.toBe(live.runId);
  expect(row(live.runId).status).toBe("running");
  expect(await live.key).toBe("live");
  await until(next.returnValue);
  await until(next.releaseKey());
  await until(next.releaseKey());
  expect((await client.start(flow, [true], { idempotencyKey: "live" })).runId).not.toBe(next.runId);
  expect([...state.runs.values()].every(({ row }) => row.workflow === "flow")).toBe(true);
  // The journal with the release is replayed.
  worker.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  await client.resumeHook("t", null);
  expect(await until(live.returnValue)).toBe(true);
  expect(second.logs.filter(({ level }) => level !== "info")).toEqual([]);
  const without = await client.start(flow, [false]);
  await until(without.releaseKey());
  await expect(client.getRun("wrun_none").releaseKey()).rejects.toThrow(/not found/);
});

it("frees a key although whoever frees it dies: starts wait for a worker that ends the release", async () => {
  const { process, client, clock, until, state, world } = cluster();
  const flow = workflow("flow", async () => "done");
  const worker = await process();
  const run = await client.start<string>(flow, [], { idempotencyKey: "k" });
  await until(run.returnValue);
  worker.kill();
  const commit = world.commit.bind(world);
  world.commit = () => new Promise(() => {});
  void run.releaseKey();
  await clock.advance(0);
  world.commit = commit;
  expect([...state.runs.values()].map(({ row }) => row.workflow)).toContain("$perdure/release_key");
  const next = client.start<string>(flow, [], { idempotencyKey: "k" });
  const rejects = client.start<string>(flow, [], { idempotencyKey: "k", onConflict: "reject" }).catch(caught);
  await process();
  const { runId, returnValue } = await until(next);
  expect(runId).not.toBe(run.runId);
  expect(await until(returnValue)).toBe("done");
  expect(await until(rejects)).toMatchObject({ runId });
});

it("is not for workflows to free a key", async () => {
  const { process, client, until } = cluster();
  const frees = workflow("frees", async (id: string) => await getRun(id).releaseKey().catch(caught));
  await process();
  const run = await client.start(frees, ["wrun_1"]);
  expect(await until(run.returnValue)).toBeInstanceOf(NonDeterminismError);
});
