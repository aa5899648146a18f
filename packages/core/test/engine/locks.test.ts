import { acquireLock, continueAsNew, type Lock, sleep, step, workflow } from "@perdure/core";
import { DeadlockError, LockTimeoutError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { type Cluster, cluster, gate, LEASE } from "./cluster.ts";

/** The record of a lock, decoded. */
function lockRecord({ state, clock }: Cluster, key: string) {
  const record = state.records.get(`lock:key:${key}`, clock.now());
  if (record === null) return null;
  const text = new TextDecoder().decode(record.value);
  return { text, bytes: record.value.length };
}

/** Keys of the records of locks that are stored. */
function keysOf({ state }: Cluster): readonly string[] {
  return [...state.records.keys("lock")];
}

/** A workflow whose runs have the lock in turn, and what they did, in order. */
function inTurn(name: string, hold: () => Promise<unknown>, key = "k") {
  const order: string[] = [];
  const fences: number[] = [];
  const enter = step(`${name} enter`, async (who: string, fence: number) => {
    order.push(`+${who}`);
    fences.push(fence);
  });
  const leave = step(`${name} leave`, async (who: string) => void order.push(`-${who}`));
  const run = workflow(name, async (who: string) => {
    await using lock = await acquireLock(key);
    await enter(who, lock.fence);
    await hold();
    await leave(who);
    return lock.fence;
  });
  return { run, order, fences };
}

it("has one holder at a time, in the order of asking, with rising fences", async () => {
  const c = cluster();
  const { run, order, fences } = inTurn("in order", () => sleep("1m"));
  await c.process();
  const runs = [];
  for (const who of ["a", "b", "c", "d"]) {
    runs.push(await c.client.start(run, [who]));
    await c.settle();
  }
  expect(order).toEqual(["+a"]);
  const given = await c.until(Promise.all(runs.map((each) => each.returnValue)));
  expect(order).toEqual(["+a", "-a", "+b", "-b", "+c", "-c", "+d", "-d"]);
  expect(fences).toEqual(given);
  expect([...fences].sort((x, y) => x - y)).toEqual(fences);
  expect(new Set(fences).size).toBe(4);
  await c.settle();
  expect(keysOf(c)).toEqual(["lock:key:k"]);
});

it("costs one write to acquire and one to release where nobody else wants it", async () => {
  const c = cluster();
  const { run } = inTurn("uncontended", async () => {});
  const { fault } = await c.process();
  const writes: string[] = [];
  fault((operation) => {
    if (operation === "writeRecords" || operation === "deliver") writes.push(operation);
  });
  await c.until((await c.client.start(run, ["a"])).returnValue);
  await c.settle();
  expect(writes).toEqual(["writeRecords", "writeRecords"]);
});

it("lets those who wait use no lease, and wakes them by a message", async () => {
  const c = cluster();
  const { run, order } = inTurn("parked", () => sleep("1h"));
  await c.process();
  const first = await c.client.start(run, ["a"]);
  await c.settle();
  const second = await c.client.start(run, ["b"]);
  await c.settle();
  expect(c.row(second.runId)).toMatchObject({ owner: null, dueAt: null });
  expect(order).toEqual(["+a"]);
  await c.until(first.returnValue);
  await c.settle();
  expect(order).toEqual(["+a", "-a", "+b"]);
});
