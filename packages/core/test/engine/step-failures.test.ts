import { FatalError, step, workflow } from "@perdure/core";
import { MemoryTransaction } from "@perdure/core/testing";
import { beforeStepFailure } from "@perdure/core/transactions";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// What has to stand before a step's failure is journalled; and runs that come with a transaction.

it("journals a failure only after what must stand before it does, however often that is tried", async () => {
  const { process, client, clock, settle, until, types } = cluster();
  const noted: unknown[] = [];
  let down = true;
  beforeStepFailure("fenced", async (failed) => {
    noted.push(failed.attempt);
    if (down) throw new Error("the database does not answer");
  });
  const fails = step("fenced", async () => {
    throw new FatalError("no");
  });
  const flow = workflow("fenced flow", async () => await fails().catch(() => "seen"));
  await process();
  const run = await client.start<string>(flow, []);
  await settle();
  await clock.advance(3 * LEASE);
  expect(noted.length).toBeGreaterThan(1);
  expect(types(run.runId)).not.toContain("step_failed");
  down = false;
  expect(await until(run.returnValue)).toBe("seen");
  expect(types(run.runId)).toContain("step_failed");
});

it("leaves an attempt to the next owner if the worker dies before that stands", async () => {
  const { process, client, clock, settle, until } = cluster();
  const noted: number[] = [];
  const never = new Promise<void>(() => {});
  beforeStepFailure("left", async ({ attempt }) => {
    noted.push(attempt);
    if (attempt === 1) await never;
  });
  const fails = step("left", async () => {
    throw new FatalError("no");
  });
  const flow = workflow("left flow", async () => await fails().catch(() => "seen"));
  const first = await process();
  const run = await client.start<string>(flow, []);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  expect(await until(run.returnValue)).toBe("seen");
  expect(noted).toEqual([1, 2]);
});

it("starts a run with a transaction, or not at all", async () => {
  const { process, client, state, until } = cluster();
  const flow = workflow("joined flow", async (n: number) => n);
  await process();
  const rolledBack = new MemoryTransaction(state);
  const never = await client.start(flow, [1], { tx: rolledBack });
  rolledBack.rollback();
  expect(await until(never.exists)).toBe(false);
  const tx = new MemoryTransaction(state);
  const run = await client.start<number>(flow, [2], { tx, idempotencyKey: "key" });
  expect(state.runs.size).toBe(0);
  tx.commit();
  expect(await until(run.returnValue)).toBe(2);
  const later = new MemoryTransaction(state);
  const again = await client.start<number>(flow, [2], { tx: later, idempotencyKey: "key" });
  later.commit();
  expect(await until(again.returnValue)).toBe(2);
  expect(again.runId).toBe(run.runId);
});
