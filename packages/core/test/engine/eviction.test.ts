import { createHook, sleep, step, workflow } from "@perdure/core";
import { expect, it } from "vitest";
import { cluster, gate } from "./cluster.ts";

// Bounded memory: runs that wait are dropped, the longest waiting first, and replayed when something comes for them.

const add = step("add", async (a: number, b: number) => a + b);

it("drops waiting runs beyond its limit and replays them, without running their finally blocks meanwhile", async () => {
  const { process, client, clock, until, settle } = cluster();
  const begun: number[] = [];
  const left: number[] = [];
  const flow = workflow("waits", async (index: number) => {
    begun.push(index);
    try {
      const sum = await add(index, 1);
      await sleep("1h");
      return await add(sum, 1);
    } finally {
      left.push(index);
    }
  });
  await process({ maxRuns: 1, pollInterval: 600_000 });
  const runs = await Promise.all([0, 1, 2, 3, 4].map((index) => client.start<number>(flow, [index])));
  await settle();
  expect(begun.toSorted()).toEqual([0, 1, 2, 3, 4]);
  expect(left).toEqual([]);
  await clock.advance(3_600_000);
  expect(await until(Promise.all(runs.map((run) => run.returnValue)))).toEqual([2, 3, 4, 5, 6]);
  // The one that was still in memory went on where it was.
  expect(begun).toHaveLength(9);
  expect(left.toSorted()).toEqual([0, 1, 2, 3, 4]);
});

it("goes on without a replay where a run is still in memory", async () => {
  const { process, client, clock, until, settle } = cluster();
  let begun = 0;
  const flow = workflow("stays", async () => {
    begun++;
    const hook = createHook<number>({ token: "stays" });
    const first = await hook;
    await sleep("1h");
    return first + (await hook);
  });
  await process();
  const run = await client.start<number>(flow, []);
  await settle();
  await client.resumeHook("stays", 1);
  await clock.advance(3_600_000);
  await client.resumeHook("stays", 2);
  expect(await until(run.returnValue)).toBe(3);
  expect(begun).toBe(1);
});

it("replays a run that another worker has taken in between, and not the stale copy", async () => {
  const { process, client, until, settle } = cluster();
  let begun = 0;
  const flow = workflow("goes to and fro", async () => {
    begun++;
    const hook = createHook<number>({ token: "to and fro" });
    return [await hook, await hook, await hook];
  });
  const first = await process();
  const run = await client.start<number[]>(flow, []);
  await settle();
  // Only the second worker can claim now; then only the first.
  first.fault((operation) => {
    if (operation === "claim") throw new Error("not this one");
  });
  const second = await process();
  await client.resumeHook("to and fro", 1);
  await settle();
  second.fault((operation) => {
    if (operation === "claim") throw new Error("not this one");
  });
  first.fault(null);
  await client.resumeHook("to and fro", 2);
  await settle();
  expect(begun).toBe(3);
  await client.resumeHook("to and fro", 3);
  expect(await until(run.returnValue)).toEqual([1, 2, 3]);
});

it("replays journals longer than a page", async () => {
  const { process, client, until, settle } = cluster();
  let begun = 0;
  const flow = workflow("long journal", async () => {
    begun++;
    let sum = 0;
    for (let index = 0; index < 1_200; index++) sum = await add(sum, 1);
    const hook = createHook<number>({ token: "long" });
    return sum + (await hook);
  });
  const other = workflow("other", async () => await sleep("1s"));
  await process({ maxRuns: 1 });
  const run = await client.start<number>(flow, []);
  await settle();
  await until((await client.start(other, [])).returnValue);
  await client.resumeHook("long", 1);
  expect(await until(run.returnValue)).toBe(1_201);
  expect(begun).toBe(2);
});

it("hears of messages that come while its journal is read, before its lease is renewed", async () => {
  const { process, client, settle, until, row } = cluster();
  const flow = workflow("is loaded", async () => {
    const hook = createHook<number>({ token: "loaded" });
    await Promise.all(Array.from({ length: 700 }, (_, n) => add(n, 1)));
    return [await hook, await hook, await hook];
  });
  const first = await process();
  const run = await client.start<number[]>(flow, []);
  await settle();
  first.kill();
  const second = await process();
  const [read, listed] = [gate(), gate()];
  const seen: string[] = [];
  second.fault((operation) => {
    seen.push(operation);
    if (operation === "listEvents") return read.promise;
    return operation === "listMail answer" ? listed.promise : undefined;
  });
  await client.resumeHook("loaded", 1);
  await settle();
  expect(seen).toContain("listEvents");
  await client.resumeHook("loaded", 2);
  await settle();
  await client.resumeHook("loaded", 3);
  await settle();
  listed.open();
  await settle();
  read.open();
  await settle();
  expect(seen).not.toContain("renew");
  expect(row(run.runId).status).toBe("completed");
  expect(await until(run.returnValue)).toEqual([1, 2, 3]);
});
