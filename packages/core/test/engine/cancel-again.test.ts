import { createHook, getStepMetadata, shield, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { WorkflowRunCancelledError } from "@perdure/core/errors";
import { Client, coldReplay, memoryWorld } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Code that does not want to be cancelled: shielded, swallowing, and without being asked.

it("does not interrupt what is shielded, and cancels again after it", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const told: string[] = [];
  const work = step("shielded work", async (what: string) => {
    const { signal } = getStepMetadata();
    await sleepy;
    told.push(`${what} ${signal.aborted}`);
  });
  let open = () => {};
  let sleepy = new Promise<void>((resolve) => {
    open = resolve;
  });
  const flow = workflow("shields", async () => {
    await shield(async () => {
      await work("first");
      await sleep("1m");
      await work("second");
      const hook = createHook<string>({ token: "in the shield" });
      told.push(await hook);
    });
    await sleep("1d");
    told.push("never");
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel({ reason: "enough" });
  await settle();
  open();
  await settle();
  first.kill();
  sleepy = Promise.resolve();
  await clock.advance(LEASE + 1);
  await process();
  await clock.advance(60_000);
  await settle();
  await client.resumeHook("in the shield", "payload");
  const error = await until(run.returnValue.catch((reason: unknown) => reason));
  expect(error).toBeInstanceOf(WorkflowRunCancelledError);
  expect(told).toEqual(["first false", "second false", "payload"]);
  expect(types(run.runId).at(-1)).toBe("run_cancelled");
});

it.each(["sleep", "hook", "child"])(
  "ends a loop that swallows the cancel and waits for a %s",
  async (what) => {
    const { process, client, until, settle, row } = cluster();
    let polls = 0;
    const poll = step("poll", async () => void polls++);
    const child = workflow("waited for", async () => await createHook());
    const flow = workflow("polls", async () => {
      const hook = createHook({ token: "poll" });
      const run = await start(child, []);
      for (;;) {
        try {
          await poll();
          if (what === "sleep") await sleep("1h");
          else if (what === "hook") await hook;
          else await run.returnValue;
        } catch {
          // It goes on.
        }
      }
    });
    await process();
    const run = await client.start(flow, []);
    await settle();
    await run.cancel();
    const error = await until(run.returnValue.catch((reason: unknown) => reason));
    expect(error).toBeInstanceOf(WorkflowRunCancelledError);
    expect(polls).toBeLessThan(15);
    expect(row(run.runId)).toMatchObject({ status: "cancelled", owner: null });
  },
);

it("terminates a run that is executed, without its code", async () => {
  const { process, client, until, settle, types } = cluster();
  const cleaned: string[] = [];
  const stuck = gate();
  let aborted: unknown = null;
  const work = step("stuck", async () => {
    const { signal } = getStepMetadata();
    signal.addEventListener("abort", () => {
      aborted = true;
    });
    await stuck.promise;
  });
  const flow = workflow("is terminated", async () => {
    try {
      await work();
    } finally {
      cleaned.push("not this");
    }
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await until(run.cancel({ reason: "now", mode: "terminate" }));
  const error = await until(run.returnValue.catch((reason: unknown) => reason));
  expect(error).toMatchObject({ reason: "now" });
  await settle();
  expect(cleaned).toEqual([]);
  expect(aborted).toBe(true);
  expect(types(run.runId).slice(-2)).toEqual(["run_cancel_requested", "run_cancelled"]);
  await run.cancel({ mode: "terminate" });
  stuck.open();
});

it.each([false, true])(
  "follows the journal of a run that was terminated, asked before: %s",
  async (asked) => {
    const { process, client, clock, until, settle, journal, types } = cluster();
    const work = step("waits for its time", async () => {});
    const flow = workflow(`is followed ${asked}`, async () => {
      try {
        await sleep("1 day");
      } finally {
        await shield(async () => await sleep("1 day"));
        await work();
      }
    });
    await process();
    const run = await client.start(flow, []);
    await settle();
    if (asked) {
      await run.cancel();
      await settle();
    }
    await until(run.cancel({ mode: "terminate" }));
    await settle();
    expect(types(run.runId).filter((type) => type === "run_cancel_requested")).toHaveLength(asked ? 2 : 1);
    const replayed = await coldReplay(
      { runId: run.runId, workflow: `is followed ${asked}` },
      journal(run.runId),
      clock,
    );
    expect(replayed).toMatchObject({ outcome: "cancelled", unmatched: [] });
  },
);

it("terminates a run that nobody executes, one that is parked, and one whose owner is dead", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const flow = workflow("waits for ever", async () => await createHook());
  const nobody = await client.start(flow, []);
  await until(nobody.cancel({ mode: "terminate" }));
  expect(row(nobody.runId)).toMatchObject({ status: "cancelled", startedAt: null });

  const worker = await process();
  const parked = await client.start(flow, []);
  await settle();
  await until(parked.cancel({ mode: "terminate" }));
  expect(await parked.status).toBe("cancelled");

  const blocked = gate();
  const blocks = step("blocks", async () => await blocked.promise);
  const busy = workflow("is busy", async () => await blocks());
  const held = await client.start(busy, []);
  await settle();
  worker.kill();
  await until(held.cancel({ mode: "terminate" }));
  expect(row(held.runId).status).toBe("cancelled");
  await process();
  await clock.advance(1);
  await settle();
  expect(row(held.runId)).toMatchObject({ owner: null, dueAt: null });
  blocked.open();
});

it("asks the store of a run with a dead owner once, and again when the lease has run out", async () => {
  const { process, client, clock, state, until, settle, row } = cluster();
  const blocked = gate();
  const blocks = step("is never done", async () => await blocked.promise);
  const flow = workflow("is held by the dead", async () => await blocks());
  const worker = await process();
  const held = await client.start(flow, []);
  await settle();
  worker.kill();
  const asked: string[] = [];
  const world = memoryWorld({
    state,
    beforeOperation: (operation) => {
      if (operation === "getRuns" || operation === "claim") asked.push(operation);
    },
  });
  const other = new Client({ world, clock, logger: "silent" });
  const { dueAt } = row(held.runId);
  await until(other.getRun(held.runId).cancel({ mode: "terminate" }));
  expect(row(held.runId).status).toBe("cancelled");
  expect(clock.now()).toBeGreaterThanOrEqual(dueAt ?? Number.POSITIVE_INFINITY);
  expect(asked).toEqual(["getRuns", "claim", "getRuns", "claim", "getRuns"]);
  blocked.open();
});
