import { createHook, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { createWorker } from "@perdure/core/runtime";
import { Client, memoryWorld, virtualClock } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { registry } from "../../src/define/registry.ts";
import { cluster, gate, LEASE } from "./cluster.ts";

// The life of a worker: starting, taking runs, closing, and what others find afterwards.

it("lets steps that are under way finish, and gives their runs back at once", async () => {
  const { process, client, clock, until, settle, row, types } = cluster();
  const opened = gate();
  const slow = step("slow", () => opened.promise);
  const next = step("next", async () => getStepMetadata().attempt);
  const flow = workflow("finishes", async () => {
    await slow();
    return await next();
  });
  const { worker } = await process();
  const run = await client.start<number>(flow, []);
  await settle();
  const closing = worker.close();
  await clock.advance(5_000);
  expect(row(run.runId).owner).toBe(worker.id);
  opened.open();
  await until(closing);
  expect(row(run.runId)).toMatchObject({ status: "running", owner: null, dueAt: clock.now() });
  expect(types(run.runId).slice(-2)).toEqual(["step_completed", "step_created"]);
  const closed = clock.now();
  await process();
  expect(await until(run.returnValue)).toBe(1);
  expect(clock.now() - closed).toBeLessThan(2_000);
});

it("hands steps over that take too long: signal aborted, attempt counted, others go on at once", async () => {
  const { process, client, clock, until, settle, row, journal } = cluster();
  const attempts: number[] = [];
  let signal: AbortSignal | undefined;
  const hangs = step("hangs", async () => {
    attempts.push(getStepMetadata().attempt);
    if (attempts.length > 1) return "done";
    signal = getStepMetadata().signal;
    return await new Promise<never>(() => {});
  });
  const { worker } = await process();
  const run = await client.start(
    workflow("handed over", async () => await hangs()),
    [],
  );
  await settle();
  const started = clock.now();
  await until(worker.close({ timeout: 3_000 }));
  expect(clock.now() - started).toBeLessThan(4_000);
  expect(signal?.aborted).toBe(true);
  expect(row(run.runId)).toMatchObject({ owner: null, dueAt: expect.any(Number) });
  expect(journal(run.runId).at(-1)?.type).toBe("step_retrying");
  await process();
  const closed = clock.now();
  expect(await until(run.returnValue)).toBe("done");
  expect(clock.now() - closed).toBeLessThan(2_000);
  expect(attempts).toEqual([1, 2]);
});

it("does not begin what was only queued, and does not count it", async () => {
  const { process, client, until, settle } = cluster();
  const opened = gate();
  const begun: [string, number][] = [];
  const work = step("work", async (name: string) => {
    begun.push([name, getStepMetadata().attempt]);
    await opened.promise;
  });
  const flow = workflow("queued", async () => await Promise.all([work("a"), work("b")]));
  const { worker } = await process({ concurrency: 1 });
  const run = await client.start(flow, []);
  await settle();
  const closing = worker.close();
  opened.open();
  await until(closing);
  expect(begun).toEqual([["a", 1]]);
  await process();
  await until(run.returnValue);
  expect(begun).toEqual([
    ["a", 1],
    ["b", 1],
  ]);
});

it("gives back runs that it has not begun, and runs that wait for a timer, a hook or nothing durable", async () => {
  const { process, client, until, settle, state } = cluster();
  const names = ["timer", "hook", "nothing"];
  const flows = [
    workflow("timer", async () => await sleep("1h")),
    workflow("hook", async () => void (await createHook())),
    workflow("nothing", () => new Promise<never>(() => {})),
  ];
  const { worker } = await process();
  for (const flow of flows) await client.start(flow, []);
  await settle();
  client.workers.add(worker);
  const fresh = client.start(flows[0], []);
  const closing = worker.close();
  await until(Promise.all([closing, fresh]));
  await settle();
  for (const { row } of state.runs.values()) {
    expect(row, `${names} ${row.workflow}`).toMatchObject({ owner: null });
  }
});

it("gives back also a run that was taken by a claim that was under way, and one created for it too late", async () => {
  const { process, client, clock, until, settle, row, state } = cluster();
  const flow = workflow("late claim", async () => await sleep("1h"));
  const late = await process();
  const answer = gate();
  late.fault((operation) => (operation === "claim answer" ? answer.promise : undefined));
  const claimed = await client.start(flow, []);
  await settle();
  expect(row(claimed.runId).owner).toBe(late.worker.id);
  client.workers.add(late.worker);
  const created = gate();
  const slowClient = new Client({
    world: memoryWorld({
      state,
      beforeOperation: (operation) => (operation === "createRuns answer" ? created.promise : undefined),
    }),
    clock,
  });
  slowClient.workers.add(late.worker);
  const starting = slowClient.start(flow, []);
  await settle();
  const closing = late.worker.close({ timeout: 1_000 });
  await clock.advance(500);
  answer.open();
  await until(closing);
  expect(row(claimed.runId)).toMatchObject({ owner: null });
  created.open();
  const run = await until(starting);
  await settle();
  expect(row(run.runId)).toMatchObject({ owner: null });
});

it("closes although the store does not answer, within a limit, and leaves the rest to the leases", async () => {
  const { process, client, clock, until, settle } = cluster();
  const lost = await process();
  const run = await client.start(
    workflow("unanswered", async () => await sleep("1s")),
    [],
  );
  await settle();
  lost.fault(() => new Promise<never>(() => {}));
  const started = clock.now();
  await until(lost.worker.close({ timeout: 2_000 }));
  expect(clock.now() - started).toBeLessThan(5_000);
  await process();
  await until(run.returnValue);
});

it("closes once, however often it is asked, and is not started again", async () => {
  const { process, until } = cluster();
  const { worker } = await process();
  await until(Promise.all([worker.close(), worker.close()]));
  await until(worker.close());
  await expect(worker.start()).rejects.toThrow(/was closed\. Create another one/);
  const unused = createWorker({ world: memoryWorld(), clock: virtualClock() });
  await unused.close();
  await expect(unused.start()).rejects.toThrow(/was closed/);
});

it("can be started again when the World could not be opened", async () => {
  let down = true;
  const world = memoryWorld({
    beforeOperation: (operation) => {
      if (operation === "open" && down) throw new Error("the store is down");
    },
  });
  const worker = createWorker({ world, clock: virtualClock() });
  await expect(worker.start()).rejects.toThrow("the store is down");
  down = false;
  await worker.start();
  await worker.start();
  await worker.close();
});

it("takes only the workflows that it was given, and those that are registered later", async () => {
  const { process, client, until, settle, row } = cluster();
  const mine = workflow("mine", async () => "mine");
  const others = workflow("others", async () => "others");
  const { worker } = await process({ workflows: [mine, "registered later"] });
  const [first, second] = [await client.start(mine, []), await client.start(others, [])];
  expect(await until(first.returnValue)).toBe("mine");
  await settle();
  expect(row(second.runId)).toMatchObject({ status: "pending", epoch: 0 });
  expect(worker.accepts("mine") && !worker.accepts("others")).toBe(true);
  const third = await client.start({ workflowId: "registered later" }, []);
  await settle();
  workflow("registered later", async () => "later");
  await settle();
  expect(await until(third.returnValue)).toBe("later");
});

it("refuses options out of range, and functions that are no workflows", () => {
  const world = memoryWorld();
  expect(() => createWorker({ world, concurrency: 0 })).toThrow(/createWorker\(\{ concurrency \}\)/);
  expect(() => createWorker({ world, leaseTtl: Number.NaN })).toThrow(/leaseTtl/);
  expect(() => createWorker({ world, maxRuns: -1 })).toThrow(/maxRuns/);
  expect(() => createWorker({ world, workflows: [async () => {}] })).toThrow(/is not registered/);
});

it("shares the work of one store with another worker", async () => {
  const { process, client, until, state } = cluster();
  const where = step("where", async (index: number) => index);
  const flow = workflow("shared", async (index: number) => await where(index));
  const runs = await Promise.all(
    Array.from({ length: 40 }, (_, index) => client.start<number>(flow, [index])),
  );
  await process({ maxRuns: 10 });
  await process({ maxRuns: 10 });
  const results = await until(Promise.all(runs.map((run) => run.returnValue)));
  expect(results).toEqual(Array.from({ length: 40 }, (_, index) => index));
  for (const { row } of state.runs.values()) expect(row.epoch).toBe(1);
});

it("is taken over when it freezes; what it says afterwards is refused, and it goes on with other work", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const late = gate<string>();
  const attempts: number[] = [];
  const work = step("work", async () => {
    attempts.push(getStepMetadata().attempt);
    return attempts.length === 1 ? await late.promise : "second worker";
  });
  const flow = workflow("taken over", async () => await work());
  const zombie = await process();
  const run = await client.start(flow, []);
  await settle();
  const thaw = gate();
  zombie.fault(() => thaw.promise);
  await process({ workflows: ["taken over"] });
  await clock.advance(LEASE + 2_000);
  expect(await until(run.returnValue)).toBe("second worker");
  zombie.fault(null);
  thaw.open();
  late.open("zombie");
  await clock.advance(1_000);
  expect(attempts).toEqual([1, 2]);
  expect(types(run.runId).filter((type) => type === "step_completed")).toHaveLength(1);
  expect(await run.returnValue).toBe("second worker");
  const other = await client.start(
    workflow("only the zombie", async () => "still alive"),
    [],
  );
  expect(await until(other.returnValue)).toBe("still alive");
});

it("waits with a step until the store has confirmed a lease that ran out meanwhile", async () => {
  const { process, client, clock, until, settle } = cluster();
  let begun = 0;
  const work = step("work", async () => ++begun);
  const flow = workflow("late lease", async () => await work());
  const { fault } = await process();
  const answer = gate();
  // The commit that creates the step is answered when its lease has run out, and renewals fail for a while.
  fault((operation) => {
    if (operation === "commit answer") return answer.promise;
    // Nor can the run be claimed anew.
    if (operation === "renew" || operation === "claim") throw new Error("the store is down");
  });
  const run = await client.start<number>(flow, []);
  await settle();
  await clock.advance(LEASE + 5_000);
  answer.open();
  await clock.advance(3_000);
  expect(begun).toBe(0);
  fault(null);
  expect(await until(run.returnValue)).toBe(1);
  expect(begun).toBe(1);
});

it("asks the store in few requests whether it still has the leases of many runs", async () => {
  const { process, client, clock, until, settle } = cluster();
  const work = step("after a pause", async () => "done");
  const flow = workflow("after a pause", async () => await work());
  const { fault } = await process();
  const answer = gate();
  let renewals = 0;
  let down = true;
  // The commits that create the steps are answered when the leases have run out.
  fault((operation) => {
    if (operation === "commit answer") return answer.promise;
    if (operation === "renew" && down) throw new Error("the store is down");
    if (operation === "renew") renewals++;
  });
  const runs = await Promise.all(Array.from({ length: 200 }, () => client.start<string>(flow, [])));
  await settle();
  await clock.advance(LEASE + 1_000);
  down = false;
  answer.open();
  const values = await until(Promise.all(runs.map((run) => run.returnValue)));
  expect(new Set(values)).toEqual(new Set(["done"]));
  expect(renewals).toBeGreaterThan(0);
  expect(renewals).toBeLessThan(10);
});

it("leaves nothing in the globals when it is closed, nor when its process is killed in a simulation", async () => {
  const { process, until } = cluster();
  const { size } = registry.listeners;
  const [closed, killed] = [await process(), await process()];
  expect(registry.listeners.size).toBe(size + 2);
  await until(closed.worker.close());
  killed.worker.abandon();
  expect(registry.listeners.size).toBe(size);
});
