import { createHook, getWorkflowMetadata, sleep, step, workflow } from "@perdure/core";
import { getRun } from "@perdure/core/api";
import { WorkflowRunNotFoundError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// run.wakeUp(): sleeps that a message ends early.

it("ends the sleep of a parked run now, and every replay sees the same", async () => {
  const { process, client, clock, until, settle, row, types } = cluster();
  const sleeper = workflow("sleeper", async () => {
    await sleep("30 days");
    const hook = createHook<string>({ token: "after" });
    return await hook;
  });
  const first = await process();
  const run = await client.start<string>(sleeper, []);
  await settle();
  expect(row(run.runId)).toMatchObject({ owner: null });
  const before = clock.now();
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 1 });
  await settle();
  expect(clock.now() - before).toBeLessThan(60_000);
  const woken = ["run_created", "run_started", "wait_created", "wait_completed", "hook_created"];
  expect(types(run.runId)).toEqual(woken);
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  await until(client.resumeHook("after", "there"));
  expect(await until(run.returnValue)).toBe("there");
  expect(types(run.runId)).toEqual([...woken, "hook_received", "run_completed"]);
});

it("ends all pending sleeps of a held run, or those of given ids, and none that begins later", async () => {
  const { process, client, until, settle, row, journal } = cluster();
  const body = gate();
  const work = step("work", async () => await body.promise);
  const sleeper = workflow("three sleeps", async () => {
    const order: string[] = [];
    const one = sleep("1h").then(() => order.push("one"));
    const two = sleep("2h").then(() => order.push("two"));
    const three = sleep("3h").then(() => order.push("three"));
    const worked = work();
    await two;
    await Promise.all([one, three]);
    await worked;
    await sleep("4h");
    return order;
  });
  await process();
  const run = await client.start<string[]>(sleeper, []);
  await settle();
  const sleeps = journal(run.runId).filter(({ type }) => type === "wait_created");
  const second = sleeps[1]?.id ?? "";
  expect(await until(run.wakeUp({ correlationIds: [second, "wait_unknown"] }))).toEqual({ stoppedCount: 1 });
  await settle();
  // The messages of two callers are one.
  const both = await until(Promise.all([run.wakeUp({ correlationIds: [] }), run.wakeUp()]));
  expect(both).toEqual([{ stoppedCount: 2 }, { stoppedCount: 2 }]);
  await settle();
  const ended = journal(run.runId).filter(({ type }) => type === "wait_completed");
  expect(ended.map(({ id }) => id)).toEqual([second, sleeps[0]?.id, sleeps[2]?.id]);
  expect(row(run.runId).mailSeq).toBe(3);
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 0 });
  body.open();
  await settle();
  expect(journal(run.runId).at(-1)?.type).toBe("wait_created");
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 1 });
  expect(await until(run.returnValue)).toEqual(["two", "one", "three"]);
});

it("waits for a worker, and is one wake-up over a crash", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const sleeper = workflow("crash sleeper", async () => {
    await sleep("1h");
    await sleep("2h");
    return "woken";
  });
  const first = await process();
  const run = await client.start<string>(sleeper, []);
  await settle();
  first.kill();
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 1 });
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 1 });
  await process();
  await clock.advance(LEASE + 1);
  expect(types(run.runId).filter((type) => type.startsWith("wait_"))).toEqual([
    "wait_created",
    "wait_completed",
    "wait_created",
  ]);
});

it("leaves alone a run without sleeps and one that has ended, and knows no other", async () => {
  const { process, client, until, settle, row } = cluster();
  const waiter = workflow("waiter", async () => await createHook<string>({ token: "wake" }));
  await process();
  const run = await client.start(waiter, []);
  await settle();
  const { mailSeq } = row(run.runId);
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 0 });
  expect(row(run.runId).mailSeq).toBe(mailSeq);
  await until(client.resumeHook("wake", "up"));
  await until(run.returnValue);
  expect(await until(run.wakeUp())).toEqual({ stoppedCount: 0 });
  await expect(until(client.getRun("wrun_none").wakeUp())).rejects.toThrow(WorkflowRunNotFoundError);
  const wrong = client.getRun("wrun_none").wakeUp({ correlationIds: "wait_1" as never });
  await expect(until(wrong)).rejects.toThrow("wakeUp(): correlationIds must be an array");
});

it("is nothing to a sleep that has ended by itself meanwhile", async () => {
  const { process, client, clock, world, until, settle, journal, types } = cluster();
  const sleeper = workflow("punctual", async () => {
    await sleep("1m");
    return await createHook<string>({ token: "later" });
  });
  await process();
  const run = await client.start<string>(sleeper, []);
  await settle();
  const id = journal(run.runId).find(({ type }) => type === "wait_created")?.id ?? "";
  await clock.advance(60_000);
  const late = {
    messageId: "late",
    to: { runId: run.runId, id },
    type: "stop_sleep",
    at: clock.now(),
    data: null,
  };
  await world.deliver([late], clock.now());
  await settle();
  await until(client.resumeHook("later", "on"));
  expect(await until(run.returnValue)).toBe("on");
  expect(types(run.runId).filter((type) => type === "wait_completed")).toHaveLength(1);
});

it("is recorded in a workflow, which may wake itself", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const child = workflow("sleeping child", async () => {
    await sleep("30 days");
    return "early";
  });
  const parent = workflow("waker", async (id: string) => {
    const asleep = sleep("30 days").then(() => "asleep");
    const woken = await getRun(id).wakeUp();
    const result = await getRun<string>(id).returnValue;
    const held = createHook<string>({ token: "held" });
    await held;
    const own = await getRun(getWorkflowMetadata().workflowRunId).wakeUp();
    return [woken, result, await getRun("wrun_none").wakeUp().catch(String), own, await asleep];
  });
  const first = await process();
  const childRun = await client.start(child, []);
  await settle();
  const run = await client.start<unknown[]>(parent, [childRun.runId]);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  await until(client.resumeHook("held", "on"));
  const before = clock.now();
  const [woken, result, unknown, own, asleep] = await until(run.returnValue);
  expect(woken).toEqual({ stoppedCount: 1 });
  expect(result).toBe("early");
  expect(unknown).toContain("was not found");
  expect([own, asleep]).toEqual([{ stoppedCount: 1 }, "asleep"]);
  expect(clock.now() - before).toBeLessThan(60_000);
  expect(types(childRun.runId).filter((type) => type === "wait_completed")).toHaveLength(1);
});
