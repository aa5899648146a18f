import { getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { coldReplay } from "@perdure/core/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Steps side by side, many of them, and the ones that lose.

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => void process.on("unhandledRejection", onUnhandled));
afterEach(() => {
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled.splice(0)).toEqual([]);
});

const echo = step("echo", async (value: number) => value);
const fail = step(
  "fail",
  async (message: string): Promise<string> => {
    throw new Error(message);
  },
  { maxRetries: 0 },
);

it("runs the steps of Promise.all, allSettled, any and race together", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("combinators", async () => ({
    all: await Promise.all([echo(1), echo(2), sleep(10), echo(3)]),
    settled: (await Promise.allSettled([echo(1), fail("no")])).map(({ status }) => status),
    any: await Promise.any([fail("a"), echo(2), fail("b")]),
    none: await Promise.any([fail("a"), fail("b")]).catch((error: AggregateError) =>
      error.errors.map((each: Error) => each.message),
    ),
    race: await Promise.race([echo(1), sleep("1h")]),
    rejected: await Promise.all([echo(1), fail("all")]).catch((error: Error) => error.message),
  }));
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual({
    all: [1, 2, undefined, 3],
    settled: ["fulfilled", "rejected"],
    any: 2,
    none: ["a", "b"],
    race: 1,
    rejected: "all",
  });
});

it("begins them at once, and not one after the other", async () => {
  const { process, client, until, settle } = cluster();
  const opened = gate();
  let together = 0;
  let most = 0;
  const counted = step("counted", async () => {
    most = Math.max(most, ++together);
    await opened.promise;
    together--;
  });
  const flow = workflow("together", async () => {
    await Promise.all(Array.from({ length: 10 }, () => counted()));
  });
  await process({ concurrency: 7 });
  const run = await client.start(flow, []);
  await settle();
  expect(most).toBe(7);
  opened.open();
  await until(run.returnValue);
  expect(most).toBe(7);
});

it("gives each call an id of its own, whatever else is called in between", async () => {
  const { process, client, until, journal } = cluster();
  const idOf = step("id of", async () => getStepMetadata().stepId);
  const plain = workflow("ids", async (others: boolean) => {
    const ids = [await idOf()];
    if (others) await Promise.all([echo(1), sleep(1)]);
    ids.push(...(await Promise.all([idOf(), idOf()])));
    return ids;
  });
  await process();
  const run = await client.start<string[]>(plain, [true]);
  const ids = await until(run.returnValue);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^[\w-]{1,64}$/);
  const created = journal(run.runId).filter(({ type, name }) => type === "step_created" && name === "id of");
  expect(created.map(({ id }) => id)).toEqual(ids);
});

it("does not make the loser of a race an unhandled rejection, nor a step that nobody awaits", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("losers", async () => {
    fail("nobody awaits this");
    const winner = await Promise.race([echo(1), fail("loses")]);
    await sleep("1m");
    return winner;
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
});

it("has the same winner in a replay, whoever would win then", async () => {
  const { process, client, clock, until, settle, journal } = cluster();
  const [slow, fast] = [gate<string>(), gate<string>()];
  let [slowCalls, fastCalls] = [0, 0];
  const first = step("slow one", () => {
    slowCalls++;
    return slow.promise;
  });
  const second = step("fast one", () => {
    fastCalls++;
    return fast.promise;
  });
  const winners: string[] = [];
  const flow = workflow("race", async () => {
    const winner = await Promise.race([first(), second()]);
    winners.push(winner);
    await sleep("1m");
    return winner;
  });
  const before = await process();
  const run = await client.start(flow, []);
  await settle();
  fast.open("fast");
  await settle();
  before.kill();
  slow.open("slow");
  await process();
  await clock.advance(LEASE + 1_000);
  expect(await until(run.returnValue)).toBe("fast");
  expect(winners).toEqual(["fast", "fast"]);
  expect([slowCalls, fastCalls]).toEqual([2, 1]);
  expect((await coldReplay({ runId: run.runId, workflow: "race" }, journal(run.runId), clock)).outcome).toBe(
    "returned",
  );
});

it("orders results that arrive together by the journal, live and replayed", async () => {
  const { process, client, clock, until, journal } = cluster();
  const orders: number[][] = [];
  const flow = workflow("order", async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await echo(index);
        order.push(index);
        await echo(index);
        order.push(index);
      }),
    );
    orders.push(order);
  });
  await process();
  const run = await client.start(flow, []);
  await until(run.returnValue);
  await coldReplay({ runId: run.runId, workflow: "order" }, journal(run.runId), clock);
  expect(orders).toHaveLength(2);
  expect(orders[1]).toEqual(orders[0]);
});

it("fans out to 1,000 steps", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("fan-out", async () => {
    const values = await Promise.all(Array.from({ length: 1_000 }, (_, index) => echo(index)));
    return values.reduce((sum, value) => sum + value, 0);
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe(499_500);
});

it("runs 10,000 steps in one run, and replays them", async () => {
  const { process, client, clock, until, journal } = cluster();
  const flow = workflow("ten thousand", async () => {
    let sum = 0;
    for (let index = 0; index < 10_000; index++) sum += await echo(1);
    return sum;
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe(10_000);
  const events = journal(run.runId);
  expect(events).toHaveLength(20_003);
  const replayed = await coldReplay({ runId: run.runId, workflow: "ten thousand" }, events, clock);
  expect(replayed).toMatchObject({ outcome: "returned", unmatched: [] });
});
