import { createHook, sleep, step, workflow } from "@perdure/core";
import { getRun, type Run, start } from "@perdure/core/api";
import {
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRunNotFoundError,
} from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Runs that workflows start and await: system steps, and what a run owes when it has ended.

it("starts a child once, over crashes and replays, and gives its result", async () => {
  const { process, client, clock, until, settle, state, types } = cluster();
  const child = workflow("child", async (n: number) => {
    await sleep("1h");
    return n * 2;
  });
  const parent = workflow("parent", async () => {
    const run = await start(child, [21]);
    return [run.runId, await run.returnValue] as const;
  });
  const first = await process();
  const run = await client.start<readonly [string, number]>(parent, []);
  await settle();
  expect(state.runs.size).toBe(2);
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  const [childId, result] = await until(run.returnValue);
  expect(result).toBe(42);
  expect(state.runs.size).toBe(2);
  expect(state.runs.get(childId)?.row.attributes).toEqual({ $parent: run.runId });
  expect(types(run.runId)).toEqual([
    "run_created",
    "run_started",
    "system_step_created",
    "system_step_completed",
    "system_step_created",
    "system_step_completed",
    "run_completed",
  ]);
  expect(types(childId).at(-1)).toBe("run_completed");
});

it("waits for a child without lease, slot or poll", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const child = workflow("slow child", async () => {
    await sleep("1h");
    return "slow";
  });
  const parent = workflow("patient", async () => await (await start(child, [])).returnValue);
  await process({ concurrency: 1 });
  const run = await client.start(parent, []);
  await settle();
  await clock.advance(60_000);
  expect(row(run.runId)).toMatchObject({ owner: null, dueAt: null });
  expect(await until(run.returnValue)).toBe("slow");
});

it("runs a tree of a thousand with one worker of concurrency 1", async () => {
  const { process, client, until, state } = cluster();
  const leaf = step("leaf", async (n: number) => n);
  const node: (depth: number) => Promise<number> = workflow(
    "node",
    async (depth: number): Promise<number> => {
      if (depth === 0) return await leaf(1);
      const children = await Promise.all(Array.from({ length: 10 }, () => start(node, [depth - 1])));
      const counts = await Promise.all(children.map(({ returnValue }) => returnValue));
      return counts.reduce((sum, count) => sum + count, 0);
    },
  );
  await process({ concurrency: 1 });
  const run = await client.start(node, [3]);
  expect(await until(run.returnValue)).toBe(1000);
  expect(state.runs.size).toBe(1111);
});

it("gives a child's failure and its cancel to the parent", async () => {
  const { process, client, until } = cluster();
  const fails = workflow("fails", async () => {
    throw new Error("no");
  });
  const waits = workflow("waits", async () => await createHook({ token: "never" }));
  const parent = workflow("parent of two", async () => {
    const errors: unknown[] = [];
    await (await start(fails, [])).returnValue.catch((error: unknown) => errors.push(error));
    const other = await start(waits, []);
    await other.cancel({ reason: "enough" });
    await other.returnValue.catch((error: unknown) => errors.push(error));
    await getRun("wrun_none").returnValue.catch((error: unknown) => errors.push(error));
    return errors;
  });
  await process();
  const errors = await until((await client.start<unknown[]>(parent, [])).returnValue);
  expect(errors[0]).toBeInstanceOf(WorkflowRunFailedError);
  expect((errors[0] as Error).cause).toMatchObject({ message: "no" });
  expect(errors[1]).toBeInstanceOf(WorkflowRunCancelledError);
  expect(errors[1]).toMatchObject({ reason: "enough" });
  expect(errors[2]).toBeInstanceOf(WorkflowRunNotFoundError);
});

it("answers all who watch a run, however it ends and whoever claims it then", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const watched = workflow("watched", async () => await createHook<string>({ token: "go on" }));
  const watcher = workflow("watcher", async (runId: string) => await getRun<string>(runId).returnValue);
  const first = await process();
  const run = await client.start(watched, []);
  const watchers = await Promise.all(Array.from({ length: 30 }, () => client.start(watcher, [run.runId])));
  await settle();
  expect(row(run.runId).endSeq).toBe(30);
  // Its owner dies in the work after the end.
  let delivered = 0;
  first.fault((operation) => {
    if (operation === "deliver answer" && ++delivered === 1) first.kill();
  });
  await client.resumeHook("go on", "ended");
  await clock.advance(LEASE + 1);
  const second = await process();
  expect(await until(Promise.all(watchers.map(({ returnValue }) => returnValue)))).toEqual(
    Array(30).fill("ended"),
  );
  await settle();
  expect(row(run.runId)).toMatchObject({ status: "completed", endDone: 30, owner: null, dueAt: null });
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("cancels the children of a cancelled run, unless they are left, and those that are tied at any end", async () => {
  const { process, client, settle, row, until } = cluster();
  const child = workflow("stays", async () => await createHook());
  const parent = workflow("starts and waits", async (wait: boolean) => {
    const ids: string[] = [];
    for (const onParentEnd of [undefined, "cancel", "leave"] as const) {
      const run: Run<unknown> = await start(child, [], onParentEnd === undefined ? {} : { onParentEnd });
      ids.push(run.runId);
    }
    if (wait) await createHook();
    return ids;
  });
  await process();
  const run = await client.start<string[]>(parent, [false]);
  const ids = await until(run.returnValue);
  await settle();
  expect(ids.map((id) => row(id).status)).toEqual(["running", "cancelled", "running"]);

  const other = await client.start(parent, [true]);
  await settle();
  await other.cancel();
  await settle();
  expect(await other.status).toBe("cancelled");
  const children = (
    await client.world.listRuns({ attributes: { $parent: other.runId }, limit: 10, order: "asc" })
  ).runs;
  expect(children.map(({ status }) => status).sort()).toEqual(["cancelled", "cancelled", "running"]);
});

it("starts what was asked for in the last moment", async () => {
  const { process, client, settle, state, until } = cluster();
  const child = workflow("started late", async () => "done");
  const parent = workflow("does not wait", async () => void start(child, []));
  await process();
  await until((await client.start(parent, [])).returnValue);
  await settle();
  const statuses = [...state.runs.values()].map(({ row }) => [row.workflow, row.status]);
  expect(statuses).toContainEqual(["started late", "completed"]);
});

it.each(["in the journal", "in the mailbox"])(
  "sends payloads on that nobody read, %s, to the run that has the token then",
  async (where) => {
    const { process, client, clock, settle, until, state, row } = cluster();
    const taken: string[] = [];
    const flow = workflow("takes one", async (name: string) => {
      const hook = createHook<string>({ token: "shared" });
      taken.push(`${name} ${await hook}`);
      await sleep("1s");
    });
    const worker = await process();
    const tokenTaken = gate();
    worker.fault((operation) => {
      if (operation === "deliver") return tokenTaken.promise;
    });
    const first = await client.start(flow, ["first"]);
    await settle();
    await client.resumeHook("shared", "one");
    await settle();
    // Read by the owner before the end, or only by the commit that ends the run.
    if (where === "in the journal") await client.resumeHook("shared", "two");
    await settle();
    if (where === "in the mailbox") {
      let sent = false;
      worker.fault(async (operation) => {
        if (operation === "deliver") return tokenTaken.promise;
        if (operation !== "commit" || sent) return;
        sent = true;
        await client.resumeHook("shared", "two");
      });
    }
    await clock.advance(1_000);
    await until(first.returnValue);
    const second = await client.start(flow, ["second"]);
    await settle();
    expect((await client.getHookByToken("shared")).runId).toBe(second.runId);
    tokenTaken.open();
    await until(second.returnValue);
    expect(taken).toEqual(["first one", "second two"]);
    await settle();
    expect(row(first.runId)).toMatchObject({ dueAt: null, owner: null });
    expect(state.runs.size).toBe(2);
  },
);

it("refuses to wait for itself", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("selfish", async (): Promise<string> => {
    const { getWorkflowMetadata } = await import("@perdure/core");
    return await getRun<string>(getWorkflowMetadata().workflowRunId).returnValue;
  });
  await process();
  const run = await client.start(flow, []);
  const error = await until(run.returnValue.catch((reason: unknown) => reason as WorkflowRunFailedError));
  expect((error as WorkflowRunFailedError).cause).toMatchObject({
    message: expect.stringContaining("its own end"),
  });
});

it("starts one run for all attempts of a step, a child of the step's run", async () => {
  const { process, client, clock, settle, until, state, row } = cluster();
  const child = workflow("started by a step", async (_at: number) => await createHook());
  let attempts = 0;
  const starts = step(
    "starts",
    async () => {
      attempts++;
      const runs = [await start(child, [attempts]), await start(child, [attempts], { onParentEnd: "leave" })];
      if (attempts === 1) throw new Error("after the start");
      return runs.map(({ runId }) => runId);
    },
    { backoff: () => 10 },
  );
  const parent = workflow("has a step that starts", async () => {
    const ids = await starts();
    await sleep("1h");
    return ids;
  });
  await process();
  const run = await client.start<string[]>(parent, []);
  await settle();
  await clock.advance(10);
  await settle();
  expect(attempts).toBe(2);
  expect(state.runs.size).toBe(3);
  await run.cancel();
  await until(run.returnValue.catch(() => {}));
  await settle();
  const children = [...state.runs.keys()].filter((id) => id !== run.runId);
  expect(children.map((id) => row(id).attributes.$parent)).toEqual([run.runId, run.runId]);
  expect(children.map((id) => row(id).status).sort()).toEqual(["cancelled", "running"]);
});

it("takes runs as arguments, results and payloads", async () => {
  const { process, client, settle, until } = cluster();
  const child = workflow("is a value", async (n: number) => n);
  const reads = step("reads a run", async (run: Run<number>) => run.runId);
  const asks = workflow("asks a run", async (run: Run<number>) => await run.returnValue);
  const gives = workflow("gives runs", async () => {
    const run: Run<number> = await start(child, [7]);
    const other = await start(asks, [run]);
    const sent = await createHook<Run<number>>({ token: "a run" });
    return { run, id: await reads(run), value: await other.returnValue, sent: await sent.returnValue };
  });
  await process();
  const run = await client.start<{ run: Run<number>; id: string; value: number; sent: number }>(gives, []);
  const seventh = await client.start(child, [77]);
  await settle();
  await client.resumeHook("a run", seventh);
  const result = await until(run.returnValue);
  expect(result.run.runId).toBe(result.id);
  expect([result.value, result.sent]).toEqual([7, 77]);
});
