import { acquireLock, continueAsNew, type Lock, sleep, step, workflow } from "@perdure/core";
import { DeadlockError, FatalError, LockTimeoutError, WorldError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { type Cluster, cluster, gate, LEASE } from "./cluster.ts";

/** Keys of the records of locks that are stored. */
function keysOf({ state, clock }: Cluster): readonly string[] {
  return [...state.records.keys("lock")].filter((key) => state.records.get(key, clock.now()) !== null);
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

it("parks a run whose lock is not wanted any more while the store did not answer", async () => {
  const c = cluster();
  const flow = workflow("gave up", async () => {
    await acquireLock("k", { timeout: "500ms" }).catch(() => {});
    await sleep("1h");
  });
  const { fault } = await c.process();
  let refused = false;
  fault((operation) => {
    if (operation !== "readRecords" || refused) return;
    refused = true;
    throw new WorldError("the store is away");
  });
  const { runId } = await c.client.start(flow, []);
  await c.settle();
  expect(c.row(runId).owner).not.toBeNull();
  await c.clock.advance(2_000);
  expect(refused).toBe(true);
  expect(c.row(runId).owner).toBeNull();
});

it("asks no more for a lock that a retried run gives back before it has it again", async () => {
  const c = cluster();
  const fails = step("fails once", async () => {
    throw new FatalError("no");
  });
  const flow = workflow("gives back early", async () => {
    const lock = await acquireLock("k");
    await Promise.race([fails(), sleep("500ms")]);
    await lock.release();
    await sleep("1h");
  });
  const other = workflow("wants it too", async () => (await acquireLock("k", { timeout: 0 })).fence);
  const { fault } = await c.process();
  const failed = await c.client.start(flow, []);
  await c.until(failed.returnValue.catch(() => {}));
  await c.settle();
  let refused = false;
  fault((operation) => {
    if (operation !== "readRecords" || refused) return;
    refused = true;
    throw new WorldError("the store is away");
  });
  await failed.retry();
  await c.clock.advance(2_000);
  expect(refused).toBe(true);
  expect(await c.until((await c.client.start<number>(other, [])).returnValue)).toBeGreaterThan(0);
});

it("lets two processes that run at once have it one after the other", async () => {
  const c = cluster();
  const { run, order } = inTurn("two processes", () => sleep("10s"));
  await c.process();
  await c.process();
  const runs = await Promise.all(["a", "b", "c", "d", "e", "f"].map((who) => c.client.start(run, [who])));
  await c.until(Promise.all(runs.map((each) => each.returnValue)));
  expect(order).toHaveLength(12);
  for (let at = 0; at < order.length; at += 2) expect(order[at + 1]).toBe(order[at]?.replace("+", "-"));
});

it("grants a semaphore to so many at once", async () => {
  const c = cluster();
  let inside = 0;
  let most = 0;
  const enter = step("semaphore enter", async () => {
    inside++;
    most = Math.max(most, inside);
  });
  const leave = step("semaphore leave", async () => void inside--);
  const run = workflow("semaphore", async () => {
    await using _ = await acquireLock("pool", { limit: 3 });
    await enter();
    await sleep("1m");
    await leave();
  });
  await c.process();
  const runs = await Promise.all(Array.from({ length: 10 }, () => c.client.start(run, [])));
  await c.settle();
  expect(inside).toBe(3);
  await c.until(Promise.all(runs.map((each) => each.returnValue)));
  expect({ inside, most }).toEqual({ inside: 0, most: 3 });
});

it("grants 1,000 that wait once each, in order, and no record grows with their number", async () => {
  const c = cluster();
  const order: number[] = [];
  const enter = step("thousand enter", async (n: number) => void order.push(n));
  const run = workflow("thousand", async (n: number) => {
    await using lock = await acquireLock("hot");
    await enter(n);
    return lock.fence;
  });
  const holder = inTurn("first of all", () => sleep("1h"), "hot");
  await c.process();
  const first = await c.client.start(holder.run, ["holder"]);
  await c.settle();
  const runs = [];
  for (let n = 0; n < 1_000; n++) {
    runs.push(await c.client.start(run, [n]));
    if (n % 10 === 9) await c.settle();
  }
  await c.settle();
  expect(order).toEqual([]);
  const largest = Math.max(
    ...keysOf(c).map((key) => c.state.records.get(key, c.clock.now())?.value.length ?? 0),
  );
  expect(largest).toBeLessThan(400);
  await first.cancel();
  const fences = await c.until(Promise.all(runs.map((each) => each.returnValue as Promise<number>)));
  expect(new Set(order).size).toBe(1_000);
  const byPlace = [...fences].sort((a, b) => a - b);
  expect(order.map((n) => fences[n])).toEqual(byPlace);
  await c.settle();
  expect(keysOf(c)).toEqual(["lock:key:hot"]);
}, 60_000);

it("gives it back however the run ends", async () => {
  const c = cluster();
  const ends = workflow("ends", async (how: string) => {
    await acquireLock("shared");
    if (how === "returns") return;
    if (how === "throws") throw new Error("failed");
    await sleep("1h");
  });
  const next = workflow("next", async () => (await acquireLock("shared", { timeout: 0 })).fence);
  await c.process();
  const fences: number[] = [];
  for (const how of ["returns", "throws", "is cancelled", "is terminated"]) {
    const run = await c.client.start(ends, [how]);
    await c.settle();
    if (how === "is cancelled") await run.cancel();
    if (how === "is terminated") await run.cancel({ mode: "terminate" });
    await c.until(run.returnValue.catch(() => {}));
    await c.settle();
    fences.push(await c.until((await c.client.start<number>(next, [])).returnValue));
    await c.settle();
  }
  expect(new Set(fences).size).toBe(4);
});

it("gives it back when a run is terminated whose worker is gone", async () => {
  const c = cluster();
  const holds = workflow("holds for ever", async () => {
    await acquireLock("leak");
    await sleep("1000 days");
  });
  const next = workflow("after it", async () => (await acquireLock("leak")).fence);
  const worker = await c.process();
  const run = await c.client.start(holds, []);
  await c.settle();
  worker.kill();
  await c.process();
  const waiting = await c.client.start(next, []);
  await c.settle();
  expect(c.types(waiting.runId)).not.toContain("system_step_completed");
  await run.cancel({ mode: "terminate" });
  expect(await c.until(waiting.returnValue)).toBeGreaterThan(0);
});

it("says when it is not free in time, and passes over who does not wait any more", async () => {
  const c = cluster();
  const { run } = inTurn("long", () => sleep("1m"));
  const impatient = workflow("impatient", async (timeout: string | number) => {
    try {
      await acquireLock("k", { timeout: timeout as never });
    } catch (error) {
      if (!LockTimeoutError.is(error)) throw error;
      await sleep("5m");
      return [error.key, error.timeout];
    }
  });
  await c.process();
  const first = await c.client.start(run, ["a"]);
  await c.settle();
  const late = await c.client.start(impatient, ["10s"]);
  const none = await c.client.start(impatient, [0]);
  await c.settle();
  const last = await c.client.start(run, ["c"]);
  await c.until(last.returnValue);
  expect(await first.status).toBe("completed");
  expect(c.clock.now()).toBeLessThan(3 * 60 * 1_000 + (await first.createdAt).getTime());
  expect(await c.until(late.returnValue)).toEqual(["k", 10_000]);
  expect(await c.until(none.returnValue)).toEqual(["k", 0]);
  await c.settle();
  expect(keysOf(c)).toEqual(["lock:key:k"]);
});

it("does not wake a run at the time limit of a lock that it got in time", async () => {
  const c = cluster();
  const run = workflow("in time", async () => {
    await using _ = await acquireLock("timed", { timeout: "1m" });
    await sleep("1h");
  });
  await c.process();
  const started = await c.client.start(run, []);
  await c.settle();
  expect(c.row(started.runId).dueAt).toBeGreaterThan(c.clock.now() + 3_000_000);
  await c.until(started.returnValue);
  expect(c.types(started.runId).filter((type) => type === "wait_completed")).toHaveLength(1);
});

it("passes over a run that is cancelled while it waits", async () => {
  const c = cluster();
  const { run, order } = inTurn("cancelled in line", () => sleep("1m"));
  await c.process();
  const runs = [];
  for (const who of ["a", "b", "c"]) {
    runs.push(await c.client.start(run, [who]));
    await c.settle();
  }
  await runs[1]?.cancel();
  await c.until(runs[2]?.returnValue as Promise<number>);
  expect(order).toEqual(["+a", "-a", "+c", "-c"]);
  await c.settle();
  expect(keysOf(c)).toEqual(["lock:key:k"]);
});

it("keeps it over continueAsNew, and gives up a place in a line", async () => {
  const c = cluster();
  const generations = workflow("generations", async (n: number, fences: number[]): Promise<number[]> => {
    const lock = await acquireLock("kept");
    void acquireLock("busy").catch(() => {});
    await sleep("1m");
    if (n < 3) return await continueAsNew([n + 1, [...fences, lock.fence]]);
    return [...fences, lock.fence];
  });
  const busy = inTurn("busy holder", () => sleep("3m"), "busy");
  const other = workflow("other", async (key: string) => (await acquireLock(key)).fence);
  await c.process();
  const holder = await c.client.start(busy.run, ["x"]);
  await c.settle();
  const run = await c.client.start<number[]>(generations, [1, []]);
  await c.settle();
  const waiting = await c.client.start(other, ["kept"]);
  const fences = await c.until(run.returnValue);
  expect(new Set(fences).size).toBe(1);
  expect(await c.until(waiting.returnValue)).toBe((fences[0] ?? 0) + 1);
  await c.until(holder.returnValue);
  await c.settle();
  expect(await c.until((await c.client.start(other, ["busy"])).returnValue)).toBeGreaterThan(0);
});

it("is acquired anew by a run that goes on for a failed one, before any step", async () => {
  const c = cluster();
  let broken = true;
  const seen: string[] = [];
  const work = step("work under lock", async () => {
    seen.push("work");
    if (broken) throw new Error("broken");
  });
  work.maxRetries = 0;
  const failing = workflow("failing", async () => {
    const lock = await acquireLock("retried");
    const before = lock.fence;
    await work();
    return [before, lock.fence];
  });
  const other = inTurn("has it meanwhile", () => sleep("1h"), "retried");
  await c.process();
  const run = await c.client.start(failing, []);
  await c.until(run.returnValue.catch(() => {}));
  await c.settle();
  const between = await c.client.start(other.run, ["x"]);
  await c.settle();
  broken = false;
  const again = await run.retry();
  await c.settle();
  expect(seen).toEqual(["work"]);
  expect(c.row(again.runId)).toMatchObject({ owner: null });
  await c.until(between.returnValue);
  const [before, after] = (await c.until(again.returnValue)) as [number, number];
  expect(after).toBeGreaterThan(before);
  expect(seen).toEqual(["work", "work"]);
});

it("is acquired anew in the order in which the run had its locks, and before those that it had only asked for", async () => {
  const c = cluster();
  let broken = true;
  const work = step("work under two locks", async () => {
    if (broken) throw new FatalError("broken");
  });
  const both = workflow("fails under two locks", async () => {
    await using _a = await acquireLock("outer");
    await using _b = await acquireLock("inner");
    await work();
  });
  const one = workflow("fails on the way to the second", async () => {
    await using _a = await acquireLock("outer");
    const under = async (): Promise<void> => {
      await using _b = await acquireLock("inner");
      await sleep("2m");
    };
    await Promise.all([under(), sleep("1s").then(work)]);
  });
  const slow = workflow("takes them in the same order", async () => {
    await using _a = await acquireLock("outer");
    await sleep("1m");
    await using _b = await acquireLock("inner");
  });
  const inner = inTurn("has the second", () => sleep("10s"), "inner");
  await c.process();
  for (const flow of [both, one]) {
    broken = true;
    await c.client.start(inner.run, ["x"]);
    await c.settle();
    const run = await c.client.start(flow, []);
    await expect(c.until(run.returnValue)).rejects.toThrow("broken");
    await c.clock.advance(10_000);
    broken = false;
    const between = await c.client.start(slow, []);
    await c.settle();
    const again = await run.retry();
    await c.until(Promise.all([between.returnValue, again.returnValue]));
  }
});

it("refuses what cannot be meant", async () => {
  const c = cluster();
  const wrong = workflow("wrong", async (what: string) => {
    const calls: Record<string, () => Promise<Lock>> = {
      empty: () => acquireLock(""),
      own: () => acquireLock("$mine"),
      limit: () => acquireLock("k", { limit: 0 }),
      option: () => acquireLock("k", { timeOut: 1 } as never),
    };
    await calls[what]?.();
  });
  await c.process();
  for (const what of ["empty", "own", "limit", "option"]) {
    const run = await c.client.start(wrong, [what]);
    await expect(c.until(run.returnValue)).rejects.toThrow(/key must be|begins with|limit must be|timeout/);
  }
  await expect(acquireLock("outside")).rejects.toThrow("a workflow");
});

it("is released by hand, once", async () => {
  const c = cluster();
  const run = workflow("by hand", async () => {
    const lock = await acquireLock("hand");
    await lock.release();
    await lock.release();
    const again = await acquireLock("hand", { timeout: 0 });
    return [lock.key, again.fence - lock.fence];
  });
  await c.process();
  expect(await c.until((await c.client.start(run, [])).returnValue)).toEqual(["hand", 1]);
});

it("keeps locks apart whose keys are long", async () => {
  const c = cluster();
  const run = workflow("long keys", async () => {
    const one = await acquireLock(`${"x".repeat(250)}1`);
    const other = await acquireLock(`${"x".repeat(250)}2`, { timeout: 0 });
    return one.key !== other.key;
  });
  await c.process();
  expect(await c.until((await c.client.start(run, [])).returnValue)).toBe(true);
});

/** Two runs, each with one lock, that want the other's. */
function crossing(name: string) {
  return workflow(name, async (own: string, other: string, wait: number) => {
    const first = await acquireLock(own);
    await sleep(wait);
    try {
      await acquireLock(other);
      return "both";
    } catch (error) {
      if (!DeadlockError.is(error)) throw error;
      await first.release();
      return { runs: error.runIds, keys: error.keys, message: error.message };
    }
  });
}

it("ends a deadlock of two: the younger gets an error that names both runs and both keys", async () => {
  const c = cluster();
  const cross = crossing("cross of two");
  await c.process();
  const older = await c.client.start(cross, ["left", "right", 2_000]);
  await c.clock.advance(10);
  const younger = await c.client.start(cross, ["right", "left", 1_000]);
  expect(await c.until(older.returnValue)).toBe("both");
  const told = (await c.until(younger.returnValue)) as { runs: string[]; keys: string[]; message: string };
  expect([...told.runs].sort()).toEqual([older.runId, younger.runId].sort());
  expect([...told.keys].sort()).toEqual(["left", "right"]);
  for (const text of [older.runId, younger.runId, '"left"', '"right"']) expect(told.message).toContain(text);
});

it("ends a deadlock of three, and one of a run with itself", async () => {
  const c = cluster();
  const cross = crossing("cross of three");
  await c.process();
  const runs = [];
  for (const [own, other] of [
    ["1", "2"],
    ["2", "3"],
    ["3", "1"],
  ] as const) {
    runs.push(await c.client.start(cross, [own, other, 1_000]));
    await c.clock.advance(10);
  }
  const ends = await c.until(Promise.all(runs.map((run) => run.returnValue)));
  expect(ends.slice(0, 2)).toEqual(["both", "both"]);
  expect(ends[2]).toMatchObject({ keys: expect.arrayContaining(["1", "2", "3"]) });
  const alone = await c.client.start(cross, ["mine", "mine", 0]);
  expect(await c.until(alone.returnValue)).toMatchObject({ runs: [alone.runId], keys: ["mine"] });
});

it("sees no deadlock where another holder of a semaphore can go on", async () => {
  const c = cluster();
  const holds = workflow("holds one", async () => {
    await using _ = await acquireLock("pair", { limit: 2 });
    await sleep("1h");
  });
  const crosses = workflow("crosses", async (first: string, second: string) => {
    await using _ = await acquireLock(first, { limit: first === "pair" ? 2 : 1 });
    await sleep("1s");
    await using __ = await acquireLock(second, { limit: second === "pair" ? 2 : 1 });
  });
  await c.process();
  await c.client.start(holds, []);
  await c.settle();
  const one = await c.client.start(crosses, ["pair", "single"]);
  await c.settle();
  const two = await c.client.start(crosses, ["single", "pair"]);
  await c.until(Promise.all([one.returnValue, two.returnValue]));
  expect([await one.status, await two.status]).toEqual(["completed", "completed"]);
});

it("goes on in another worker when one dies that has it, and nobody else gets it meanwhile", async () => {
  const c = cluster();
  const held = gate();
  let inside = 0;
  let most = 0;
  const body = step("body", async (wait: boolean) => {
    inside++;
    most = Math.max(most, inside);
    if (wait) await held.promise;
    inside--;
  });
  const run = workflow("dies", async (wait: boolean) => {
    await using lock = await acquireLock("survives");
    await body(wait);
    return lock.fence;
  });
  const former = await c.process();
  const first = await c.client.start(run, [true]);
  await c.settle();
  former.kill();
  inside = 0;
  held.open();
  await c.process();
  const second = await c.client.start(run, [false]);
  const fences = (await c.until(Promise.all([first.returnValue, second.returnValue]))) as number[];
  expect(fences[1]).toBe((fences[0] ?? 0) + 1);
  expect(most).toBe(1);
  expect(c.clock.now()).toBeGreaterThan(LEASE);
});
