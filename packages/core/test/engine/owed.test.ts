import { continueAsNew, createHook, sleep, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { LeaseLostError, WorldError } from "@perdure/core/errors";
import { deploy } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { readJournal } from "../../src/engine/claims/loader.ts";
import { cluster, gate, LEASE } from "./cluster.ts";

// What the simulator found in the work after a run's end: each of these was lost, or hung.

it("keeps a payload that came before the token was free, though the code had disposed of the hook", async () => {
  const { process, client, clock, settle, until, row, types } = cluster();
  const holder = workflow("holder", async () => {
    const hook = createHook<string>({ token: "passing" });
    await sleep("1s");
    hook.dispose();
    await sleep("1s");
  });
  const next = workflow("next", async () => await createHook<string>({ token: "passing" }));
  const worker = await process();
  const first = await client.start(holder, []);
  await settle();
  let sent = false;
  worker.fault(async (operation) => {
    if (operation !== "commit" || sent) return;
    sent = true;
    await client.resumeHook("passing", "in time");
  });
  await clock.advance(1_000);
  expect(types(first.runId)).toContain("hook_disposed");
  const second = await client.start(next, []);
  await settle();
  expect(row(second.runId)).toMatchObject({ status: "running", mailSeq: 0 });
  await clock.advance(1_000);
  expect(await until(second.returnValue)).toBe("in time");
  expect(types(first.runId).slice(-3)).toEqual(["wait_completed", "payloads_left", "run_completed"]);
});

it("sends payloads on of a run that is cancelled without its code", async () => {
  const { process, client, settle, until, row } = cluster();
  workflow("changes", async () => await createHook<string>({ token: "kept" }));
  const former = await process();
  const run = await client.start({ workflowId: "changes" }, []);
  await settle();
  former.kill();
  deploy();
  workflow("changes", async () => await sleep("1h"));
  const next = workflow("takes over", async () => await createHook<string>({ token: "kept" }));
  await client.resumeHook("kept", "unread");
  await run.cancel();
  const worker = await process();
  const tokenTaken = gate();
  worker.fault((operation) => (operation === "deliver" ? tokenTaken.promise : undefined));
  await settle();
  expect(await run.status).toBe("cancelled");
  const second = await client.start(next, []);
  await settle();
  tokenTaken.open();
  expect(await until(second.returnValue)).toBe("unread");
  await settle();
  expect(row(run.runId)).toMatchObject({ owner: null, dueAt: null });
});

it("gives a run back whose system step has not begun", async () => {
  const { process, client, clock, settle, row } = cluster();
  const child = workflow("asked for", async () => "done");
  const parent = workflow("asks", async () => await (await start(child, [])).returnValue);
  const first = await process();
  first.fault((operation) => {
    if (operation === "createRuns") first.kill();
  });
  const run = await client.start(parent, []);
  await settle();
  const second = await process();
  let closed = false;
  second.fault((operation) => {
    if (operation !== "claim answer" || row(run.runId).epoch < 2 || closed) return;
    closed = true;
    void second.worker.close();
  });
  await clock.advance(LEASE + 1);
  await settle();
  expect(closed).toBe(true);
  expect(row(run.runId)).toMatchObject({ owner: null, epoch: 2, status: "running" });
});

it("starts a child whose start was interrupted by a cancel before the store answered", async () => {
  const { process, client, settle, state, until, when, row } = cluster();
  const child = workflow("late child", async () => await createHook());
  const parent = workflow("cancelled early", async () => {
    try {
      await start(child, [], { onParentEnd: "leave" });
    } finally {
      await sleep("1m");
    }
  });
  const worker = await process();
  let down = true;
  worker.fault((operation) => {
    if (down && operation === "createRuns") throw new WorldError("no answer");
  });
  const run = await client.start(parent, []);
  await settle();
  await run.cancel();
  await until(run.returnValue.catch(() => {}));
  expect(state.runs.size).toBe(1);
  down = false;
  const statuses = () => [...state.runs.values()].map(({ row }) => row.status);
  await when(() => statuses().length === 2);
  await settle();
  expect(statuses()).toEqual(["cancelled", "running"]);
  expect(row(run.runId)).toMatchObject({ owner: null, dueAt: null });
});

it("does what the code asked for before it continues as new, also when the store does not answer for a while", async () => {
  const { process, client, clock, settle, until, state, row } = cluster();
  const child = workflow("of the first generation", async () => "done");
  const parent = workflow("starts and goes on", async (n: number): Promise<unknown> => {
    if (n > 0) return await createHook<string>({ token: "second generation" });
    void start(child, []);
    return await continueAsNew([1]);
  });
  const worker = await process();
  let down = true;
  worker.fault((operation) => {
    if (down && operation === "createRuns") throw new WorldError("no answer");
  });
  const run = await client.start(parent, [0]);
  await clock.advance(10_000);
  down = false;
  await clock.advance(10_000);
  expect(row(run.runId)).toMatchObject({ generation: 1, status: "running" });
  await client.resumeHook("second generation", "told");
  expect(await until(run.returnValue)).toBe("told");
  await settle();
  expect([...state.runs.values()].map(({ row }) => row.status)).toEqual(["completed", "completed"]);
});

it("does not take a run for damaged whose journal another worker continues while this one reads it", async () => {
  const { process, client, clock, settle, row, world } = cluster();
  const flow = workflow("read slowly", async () => await sleep("1h"));
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  const asClaimed = row(run.runId);
  first.kill();
  await process();
  await clock.advance(3_700_000);
  expect(row(run.runId).status).toBe("completed");
  const read = readJournal(world, asClaimed, []);
  expect(LeaseLostError.is(await read.catch((error: unknown) => error))).toBe(true);
});

it("gives a run away that continues as new once its last system step is done, and has mail", async () => {
  const { process, client, clock, settle, row, until } = cluster();
  const child = workflow("asked for on the way", async () => "done");
  const flow = workflow("continues as new with mail", async (again: boolean) => {
    const hook = createHook<string>({ token: "kept" });
    if (!again) return await hook;
    void start(child, []);
    return await continueAsNew([false]);
  });
  const first = await process();
  first.fault((operation) => {
    if (operation === "createRuns") first.kill();
  });
  const run = await client.start(flow, [true]);
  await settle();
  await client.resumeHook("kept", "payload");
  const second = await process();
  let closed = false;
  second.fault((operation) => {
    if (operation !== "claim answer" || row(run.runId).epoch < 2 || closed) return;
    closed = true;
    void second.worker.close({ timeout: 600_000 });
  });
  await clock.advance(LEASE + 1);
  await settle();
  expect(closed).toBe(true);
  expect(row(run.runId)).toMatchObject({ owner: null, epoch: 2, status: "running" });
  await process();
  expect(await until(run.returnValue)).toBe("payload");
});
