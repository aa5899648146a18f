import { setState, sleep, step, workflow } from "@perdure/core";
import {
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRunNotFoundError,
  WorldError,
} from "@perdure/core/errors";
import { Client, memoryWorld } from "@perdure/core/testing";
import type { Hint } from "@perdure/core/world";
import { expect, it } from "vitest";
import { type Cluster, cluster } from "./cluster.ts";

// The handle of a run: what it tells, and how it waits.

it("tells what the run is, at each point of its life", async () => {
  const { process, client, clock, until, settle } = cluster();
  const flow = workflow("life", async () => {
    await sleep("1h");
    return 42;
  });
  const created = new Date(clock.now());
  const run = await client.start(flow, []);
  expect(run.runId).toMatch(/^wrun_[0-9A-HJKMNP-TV-Z]{26}$/);
  expect(await run.status).toBe("pending");
  expect(await run.workflowName).toBe("life");
  expect(await run.createdAt).toEqual(created);
  expect(await run.startedAt).toBeUndefined();
  await clock.advance(500);
  await process();
  await settle();
  expect(await run.status).toBe("running");
  expect(await run.startedAt).toEqual(new Date(created.getTime() + 500));
  expect(await run.completedAt).toBeUndefined();
  expect(await until(run.returnValue)).toBe(42);
  expect(await run.status).toBe("completed");
  expect(((await run.completedAt) as Date).getTime()).toBeGreaterThanOrEqual(created.getTime() + 3_600_500);
});

it("knows a run by its id alone, and knows that there is none", async () => {
  const { process, client, until } = cluster();
  await process();
  const { runId } = await client.start(
    workflow("by id", async () => "found"),
    [],
  );
  const run = client.getRun<string>(runId);
  expect(await run.exists).toBe(true);
  expect(await until(run.returnValue)).toBe("found");
  const none = client.getRun("wrun_none");
  expect(await none.exists).toBe(false);
  await expect(none.status).rejects.toSatisfy(WorkflowRunNotFoundError.is);
  await expect(none.createdAt).rejects.toThrow(/"wrun_none" was not found/);
  await expect(until(none.returnValue)).rejects.toSatisfy(WorkflowRunNotFoundError.is);
  await expect(none.retry()).rejects.toSatisfy(WorkflowRunNotFoundError.is);
});

it("rejects with the error that fits the end", async () => {
  const { process, client, until, settle } = cluster();
  await process();
  const failed = await client.start(
    workflow("fails", async () => {
      throw new RangeError("no");
    }),
    [],
  );
  const error = await until(failed.returnValue.catch((reason: unknown) => reason));
  expect(WorkflowRunFailedError.is(error) && error.cause).toBeInstanceOf(RangeError);
  const cancelled = await client.start(
    workflow("cancelled", async () => await sleep("1h")),
    [],
  );
  await settle();
  await cancelled.cancel({ reason: "why not" });
  const reason = await until(cancelled.returnValue.catch((each: unknown) => each));
  expect(WorkflowRunCancelledError.is(reason) && reason.reason).toBe("why not");
  // Again, and from another handle: the end is stored.
  await expect(client.getRun(failed.runId).returnValue).rejects.toThrow(/failed: no/);
});

it("waits for many runs with few queries, however long they take", async () => {
  const { process, clock, state, until } = cluster();
  let queries = 0;
  const world = memoryWorld({
    state,
    beforeOperation: (operation) => {
      if (operation === "getRuns") queries++;
    },
  });
  const client = new Client({ world, clock });
  const flow = workflow("takes a minute", async (index: number) => {
    await sleep("1m");
    return index;
  });
  await process();
  const runs = await Promise.all(
    Array.from({ length: 200 }, (_, index) => client.start<number>(flow, [index])),
  );
  const values = await until(Promise.all(runs.map((run) => run.returnValue)));
  expect(values).toEqual(Array.from({ length: 200 }, (_, index) => index));
  // One poll every two seconds for all of them, and the notifications at the end.
  expect(queries).toBeLessThan(60);
});

/** A client whose World tells again and again that something has changed, and counts the rows that are read of it. */
function restless({ clock, state }: Cluster) {
  const inner = memoryWorld({ state });
  const listeners = new Set<(hint: Hint) => void>();
  let rows = 0;
  const world = {
    ...inner,
    subscribe(listener: (hint: Hint) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getRuns(runIds: readonly string[]) {
      rows += runIds.length;
      return inner.getRuns(runIds);
    },
  };
  return {
    client: new Client({ world, clock }),
    /** How many rows are read in so many milliseconds. */
    async rowsIn(length: number): Promise<number> {
      rows = 0;
      for (let ms = 0; ms < length; ms += 10) {
        for (const listener of listeners) listener({ type: "changed" });
        await clock.advance(10);
      }
      return rows;
    },
  };
}

it("looks at a thousand runs the less often the longer nothing ends, although something always changes", async () => {
  const program = cluster();
  const { client, rowsIn } = restless(program);
  const flow = workflow("nobody executes it", async () => {});
  const runs = await Promise.all(Array.from({ length: 1000 }, () => client.start(flow, [])));
  for (const run of runs) void run.returnValue;
  await program.settle();
  const rows = await rowsIn(10_000);
  expect(rows).toBeGreaterThan(10_000);
  expect(rows).toBeLessThan(30_000);
});

it("looks for a state the less often the longer none comes, although something always changes", async () => {
  const program = cluster();
  const { client, rowsIn } = restless(program);
  const flow = workflow("shows nothing", async () => {});
  const run = await client.start(flow, []);
  const state = run.getState({ after: 0 });
  await program.settle();
  const rows = await rowsIn(10_000);
  expect(rows).toBeGreaterThan(20);
  expect(rows).toBeLessThan(50);
  await program.process();
  expect(await program.until(state)).toBeNull();
});

it("who waits for a state, or for what goes on for a run, waits on while the store does not answer", async () => {
  const { process, client, clock, world, until, settle } = cluster();
  const flow = workflow("seen later", async () => setState("there"));
  const fails = workflow("goes wrong", async () => {
    throw new Error("no");
  });
  const [run, failed] = [await client.start(flow, []), await client.start(fails, [])];
  let away = true;
  const answering =
    <A extends unknown[], R>(ask: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      away ? Promise.reject(new WorldError("away", { retryable: true })) : ask(...args);
  const store: typeof world = {
    ...world,
    getRuns: answering((ids) => world.getRuns(ids)),
    getNames: answering((names, now) => world.getNames(names, now)),
  };
  const reader = new Client({ world: store, clock, logger: "silent" });
  await expect(reader.getRun(run.runId).getState()).rejects.toThrow(/away/);
  const state = reader.getRun(run.runId).getState({ after: 0 });
  await process();
  await settle();
  away = false;
  expect(await until(state)).toMatchObject({ value: "there" });
  const followed = reader.getRun(failed.runId).result({ follow: true });
  store.getNames = answering((names, now) => world.getNames(names, now));
  const ended = new Promise<void>((resolve) => {
    store.getRuns = async (ids) => {
      away = true;
      resolve();
      return await world.getRuns(ids);
    };
  });
  await until(ended);
  await clock.advance(1_000);
  away = false;
  await expect(until(followed)).rejects.toThrow(WorkflowRunFailedError);
});

it("a run that cannot be read fails who awaits it, and nobody else", async () => {
  const { process, clock, client, state, until } = cluster();
  const flow = workflow("readable", async (text: string) => text);
  const runs = await Promise.all(["a", "b", "c"].map((text) => client.start(flow, [text])));
  const inner = memoryWorld({ state });
  const reader = new Client({
    clock,
    world: {
      ...inner,
      async getRuns(runIds) {
        if (runIds.includes(runs[1]?.runId ?? ""))
          throw new WorldError("Run b is damaged.", { retryable: false });
        return await inner.getRuns(runIds);
      },
    },
  });
  const ends = runs.map(({ runId }) => reader.getRun<string>(runId).returnValue);
  const settled = Promise.allSettled(ends);
  await process();
  expect(await until(settled)).toMatchObject([
    { value: "a" },
    { reason: { message: expect.stringContaining("Run b is damaged.") } },
    { value: "c" },
  ]);
});

it("waits without notifications too, and asks rarely while the store is down", async () => {
  const { process, clock, state, until, settle } = cluster();
  let queries = 0;
  let down = false;
  const inner = memoryWorld({
    state,
    beforeOperation: (operation) => {
      if (operation !== "getRuns") return;
      queries++;
      if (down) throw new Error("the store is down");
    },
  });
  const client = new Client({ world: { ...inner, subscribe: () => () => {} }, clock });
  const work = step("work", async () => "done");
  await process();
  const run = await client.start(
    workflow("unnoticed", async () => await work()),
    [],
  );
  const value = run.returnValue;
  down = true;
  await settle();
  await clock.advance(60_000);
  expect(queries).toBeLessThan(60);
  down = false;
  expect(await until(value)).toBe("done");
});

it("does not wait for a World that was closed", async () => {
  const world = memoryWorld();
  const client = new Client({ world });
  const flow = workflow("never executed", async () => {});
  const run = await client.start(flow, []);
  const result = run.returnValue.catch((error: unknown) => error);
  const closed = new WorldError("The World is not open.", { retryable: false });
  world.getRuns = async () => {
    throw closed;
  };
  expect(await result).toBe(closed);
});

it("tells who waits for a run that cannot be read, and nobody else", async () => {
  const { process, clock, state, until } = cluster();
  const inner = memoryWorld({ state });
  const damage = new WorldError("The output of that run is missing.", { retryable: false });
  let damaged = "";
  const world = {
    ...inner,
    async getRuns(runIds: readonly string[]) {
      if (runIds.includes(damaged)) throw damage;
      return inner.getRuns(runIds);
    },
  };
  const client = new Client({ world, clock });
  const flow = workflow("one of many", async (index: number) => {
    await sleep("1m");
    return index;
  });
  const runs = await Promise.all(
    Array.from({ length: 20 }, (_, index) => client.start<number>(flow, [index])),
  );
  damaged = runs[7]?.runId ?? "";
  const results = Promise.all(runs.map((run) => run.returnValue.catch((error: unknown) => error)));
  await process();
  expect(await until(results)).toEqual(runs.map((_, index) => (index === 7 ? damage : index)));
});

it("gives the result of a run that ended in a worker of this process without reading it", async () => {
  const { clock, process, settle } = cluster();
  const { worker, world, fault } = await process();
  const client = new Client({ world, clock });
  client.workers.add(worker);
  const returned = { list: [1] };
  const work = step("work", async () => returned);
  const flow = workflow("executed here", async () => await work());
  await client.open();
  await settle();
  const asked: string[] = [];
  fault((operation) => void (operation.includes("answer") || asked.push(operation)));
  const run = await client.start(flow, []);
  let results: unknown[] = [];
  void Promise.all([run.returnValue, run.returnValue]).then((values) => {
    results = values;
  });
  await settle();
  expect(results).toEqual([returned, returned]);
  // Each caller has an object of its own, and none has the step's.
  expect(new Set([...results, returned]).size).toBe(3);
  expect(asked).toEqual(["createRuns", "commit", "commit"]);
});

it("gives no result before the store has acknowledged the commit that ends the run", async () => {
  const { clock, state, process, settle } = cluster();
  const { worker, world, fault } = await process();
  const client = new Client({ world, clock });
  client.workers.add(worker);
  await settle();
  let acknowledge = (): void => {};
  const acknowledged = new Promise<void>((resolve) => {
    acknowledge = resolve;
  });
  const isEnded = () => [...state.runs.values()].some(({ row }) => row.status === "completed");
  fault(async () => {
    if (isEnded()) await acknowledged;
  });
  const run = await client.start(
    workflow("ended", async () => 7),
    [],
  );
  let result: unknown;
  void run.returnValue.then((value) => {
    result = value;
  });
  await settle();
  expect([isEnded(), result]).toEqual([true, undefined]);
  acknowledge();
  await settle();
  expect(result).toBe(7);
});
