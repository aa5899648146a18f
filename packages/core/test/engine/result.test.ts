import { getEventListeners } from "node:events";
import { createHook, sleep, step, workflow } from "@perdure/core";
import { getRun } from "@perdure/core/api";
import { WorkflowRunNotCompletedError } from "@perdure/core/errors";
import { Client } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { type Cluster, cluster, LEASE } from "./cluster.ts";

// run.result({ timeout, signal }): a caller that does not wait for ever.

/** A client that counts what is left of its waits: subscriptions of the World and timers. */
function counted({ world, clock }: Cluster) {
  const left = { subscriptions: 0, timers: 0 };
  const watched = Object.create(world, {
    subscribe: {
      value: (listener: Parameters<typeof world.subscribe>[0]) => {
        left.subscriptions++;
        const end = world.subscribe(listener);
        return () => {
          left.subscriptions--;
          end();
        };
      },
    },
  }) as typeof world;
  for (const verb of ["open", "getRuns", "claim", "createRuns", "deliver"] as const) {
    Object.defineProperty(watched, verb, { value: (world[verb] as () => unknown).bind(world) });
  }
  const client = new Client({
    world: watched,
    logger: "silent",
    clock: {
      ...clock,
      setTimer(at, fn) {
        left.timers++;
        let over = false;
        const end = () => {
          if (!over) left.timers--;
          over = true;
        };
        const cancel = clock.setTimer(at, () => {
          end();
          fn();
        });
        return () => {
          end();
          cancel();
        };
      },
    },
  });
  return { client, left };
}

it("gives up when its time is over, names run and time, and leaves nothing behind", async () => {
  const test = cluster();
  const { process, clock, until, settle } = test;
  const { client, left } = counted(test);
  const waiter = workflow("late", async () => await createHook<string>({ token: "late" }));
  await process();
  const run = await client.start<string>(waiter, []);
  await settle();
  const began = clock.now();
  const error = await until(run.result({ timeout: "5s" }).catch((error: unknown) => error));
  expect(clock.now() - began).toBe(5_000);
  expect(WorkflowRunNotCompletedError.is(error)).toBe(true);
  expect(error).toMatchObject({ runId: run.runId, timeout: 5_000, code: "RUN_NOT_COMPLETED" });
  expect((error as Error).message).toContain(`"${run.runId}" has not ended after 5000 ms`);
  expect(left).toEqual({ subscriptions: 0, timers: 0 });
  const patient = run.result({ timeout: "1h" });
  const hasty = run.result({ timeout: new Date(clock.now() + 1_000) }).catch((error: unknown) => error);
  expect(await until(hasty)).toMatchObject({ timeout: 1_000 });
  expect(left.subscriptions).toBe(1);
  await until(client.resumeHook("late", "at last"));
  expect(await until(patient)).toBe("at last");
  expect(left).toEqual({ subscriptions: 0, timers: 0 });
});

it("rejects with the signal's reason, at once if it was aborted before", async () => {
  const test = cluster();
  const { process, until, settle } = test;
  const { client, left } = counted(test);
  const waiter = workflow("never", async () => await createHook<string>({ token: "never" }));
  await process();
  // Whoever starts a run looks after it for a while.
  const run = client.getRun((await test.client.start(waiter, [])).runId);
  const controller = new AbortController();
  const waiting = run.result({ signal: controller.signal });
  await settle();
  expect(left.subscriptions).toBe(1);
  controller.abort(new Error("the request is gone"));
  await expect(waiting).rejects.toThrow("the request is gone");
  await settle();
  expect(left).toEqual({ subscriptions: 0, timers: 0 });
  await expect(run.result({ signal: controller.signal })).rejects.toThrow("the request is gone");
  expect(left).toEqual({ subscriptions: 0, timers: 0 });
  const other = new AbortController();
  const cancelled = run.result({ signal: other.signal }).catch((error: Error) => error.name);
  await until(run.cancel());
  expect(await until(cancelled)).toBe("WorkflowRunCancelledError");
  expect(getEventListeners(other.signal, "abort")).toEqual([]);
});

it("refuses what cannot be meant", async () => {
  const { client } = cluster();
  const run = client.getRun("wrun_1");
  await expect(run.result({ timeout: "soon" as never })).rejects.toThrow('"soon" is not a duration');
  await expect(run.result({ signal: {} as never })).rejects.toThrow("signal must be an AbortSignal");
});

it("does not keep the slot of a step that gave up", async () => {
  const { process, client, until } = cluster();
  const child = workflow("endless child", async () => await createHook<string>({ token: "endless" }));
  const wait = step("wait", async (id: string) => {
    return await client
      .getRun(id)
      .result({ timeout: 2_000 })
      .catch((error: Error) => error.name);
  });
  const parent = workflow("step waits", async (id: string) => await Promise.all([wait(id), wait(id)]));
  await process({ concurrency: 1 });
  const endless = await client.start(child, []);
  const run = await client.start<string[]>(parent, [endless.runId]);
  expect(await until(run.returnValue)).toEqual(Array(2).fill("WorkflowRunNotCompletedError"));
});

it("is a recorded wait in a workflow", async () => {
  const { process, client, clock, until, settle } = cluster();
  const child = workflow("slow", async () => {
    await sleep("2h");
    return "slow";
  });
  const parent = workflow("hasty", async (id: string) => {
    const other = getRun<string>(id);
    const first = await other.result({ timeout: "1h" }).catch((error: unknown) => error);
    const second = await other.result({ timeout: "3h" });
    const aborted = AbortSignal.abort(new Error("no more"));
    const third = await other.result({ signal: aborted }).catch((error: Error) => error.message);
    await createHook({ token: "replayed" });
    const { timeout } = first as WorkflowRunNotCompletedError;
    return [WorkflowRunNotCompletedError.is(first), timeout, second, third];
  });
  const first = await process();
  const slow = await client.start(child, []);
  const run = await client.start(parent, [slow.runId]);
  await settle();
  await clock.advance(2.5 * 3_600_000);
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  await until(client.resumeHook("replayed", null));
  expect(await until(run.returnValue)).toEqual([true, 3_600_000, "slow", "no more"]);
});
