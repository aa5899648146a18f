import { claiming, NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { serversClock, timeOf } from "../src/clock.ts";
import { mongodbWorld } from "../src/index.ts";
import { startProxy } from "./proxy.ts";
import { openWorld, temporaryDatabase } from "./store.ts";

/** A server whose clock is ahead, a caller's clock that can be set, and the monotonic one that both go by. */
function clocks(ahead: number) {
  let elapsed = 0;
  let asked = 0;
  const clock = serversClock(
    async () => {
      asked++;
      return { localTime: new Date(NOW + elapsed + ahead) };
    },
    () => elapsed,
  );
  return { clock, pass: (milliseconds: number) => (elapsed += milliseconds), asked: () => asked };
}

test("the server's time is asked once a minute, and goes on by itself in between", async () => {
  const { clock, pass, asked } = clocks(5_000);
  expect(await clock(NOW)).toBe(NOW + 5_000);
  pass(30_000);
  expect(await clock(NOW + 30_000)).toBe(NOW + 35_000);
  expect(asked()).toBe(1);
  pass(31_000);
  await clock(NOW + 61_000);
  expect(asked()).toBe(2);
});

test.each([-400, 400, -20_000, -3_600_000, 20_000, 3_600_000])(
  "a caller's clock that is set by %i ms moves no lease",
  async (step) => {
    const { clock, pass } = clocks(5_000);
    await clock(NOW);
    pass(1_000);
    expect(await clock(NOW + 1_000 + step)).toBe(NOW + 6_000);
    pass(100);
    expect(await clock(NOW + 1_100 + step)).toBe(NOW + 6_100);
  },
);

test("two callers whose clocks differ agree on the server's", async () => {
  const { clock } = clocks(0);
  const { clock: other } = clocks(0);
  expect(await clock(NOW + 3_600_000)).toBe(await other(NOW - 3_600_000));
});

test.each([
  ["a number", 1_700_000_000_000],
  ["a 64-bit number", 1_700_000_000_000n],
  ["a string", "2026-11-25T18:00:00Z"],
  ["an object", { $date: 0 }],
  ["no valid date", new Date(Number.NaN)],
  ["null", null],
  ["nothing", undefined],
])("%s is no time", (_, localTime) => {
  expect(timeOf({ localTime })).toBeUndefined();
});

test("a server that tells no time, or something that is none, is taken at its word: the caller's clock counts", async () => {
  const { url, db } = await temporaryDatabase();
  for (const localTime of [undefined, 1_700_000_000_000, "now", null]) {
    const proxy = await startProxy(url);
    proxy.inject((name) =>
      name === "hello"
        ? { type: "change", change: ({ localTime: _, ...rest }) => ({ ...rest, localTime }) }
        : undefined,
    );
    const world = mongodbWorld({ url: proxy.url, db });
    await world.open();
    expect(world.describe().clock).toBe("the caller's");
    expect(world.capabilities.ownClock).toBe(false);
    expect((await world.claim(claiming({ workflows: ["none"] }))).now).toBe(NOW);
    await world.close();
  }
});

test("times in a start are distances from the caller's now where the server's clock counts", async () => {
  const { url, db } = await temporaryDatabase();
  const proxy = await startProxy(url);
  const serversNow = NOW + 3_600_000;
  proxy.inject((name) =>
    name === "hello"
      ? { type: "change", change: (answer) => ({ ...answer, localTime: new Date(serversNow) }) }
      : undefined,
  );
  const world = mongodbWorld({ url: proxy.url, db });
  await world.open();
  expect(world.describe().clock).toBe("the server's");
  expect(world.capabilities.ownClock).toBe(true);
  await world.createRuns([newRun("soon", { dueAt: NOW }), newRun("later", { dueAt: NOW + 600_000 })], NOW);
  const { runs, nextDueAt, now } = await world.claim(claiming());
  expect(runs.map(({ run }) => run.runId)).toEqual(["soon"]);
  expect(now).toBeGreaterThanOrEqual(serversNow);
  expect(Math.abs((nextDueAt ?? 0) - (serversNow + 600_000))).toBeLessThan(60_000);
  await world.close();
});

test("the option makes a World go by the caller's clock, whatever the server tells", async () => {
  const { url, db } = await temporaryDatabase();
  const proxy = await startProxy(url);
  proxy.inject((name) =>
    name === "hello"
      ? { type: "change", change: (answer) => ({ ...answer, localTime: new Date(NOW + 3_600_000) }) }
      : undefined,
  );
  const world = await openWorld({ url: proxy.url, db, clock: "caller" });
  expect(world.describe().clock).toBe("the caller's");
  expect(world.capabilities.ownClock).toBe(false);
  expect((await world.claim(claiming())).now).toBe(NOW);
});
