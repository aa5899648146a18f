import { NOW, claiming, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { serversClock } from "../src/clock.ts";
import { mongodbWorld } from "../src/index.ts";
import { openWorld, temporaryDatabase } from "./store.ts";

test("the server's time is the caller's plus the measured distance", async () => {
  let asked = 0;
  const clock = serversClock(async () => {
    asked++;
    return { localTime: new Date(NOW + 5_000) };
  });
  expect(Math.abs((await clock(NOW)) - (NOW + 5_000))).toBeLessThan(1_000);
  const distance = (await clock(NOW)) - NOW;
  expect(await clock(NOW + 30_000)).toBe(NOW + 30_000 + distance);
  expect(asked).toBe(1);
  await clock(NOW + 61_000);
  expect(asked).toBe(2);
  await clock(NOW - 61_000);
  expect(asked).toBe(3);
});

test("two callers whose clocks differ agree on the server's", async () => {
  const began = process.hrtime.bigint();
  const server = async () => ({
    localTime: new Date(NOW + Number((process.hrtime.bigint() - began) / 1_000_000n)),
  });
  const [fast, slow] = await Promise.all([
    serversClock(server)(NOW + 3_600_000),
    serversClock(server)(NOW - 3_600_000),
  ]);
  expect(Math.abs(fast - slow)).toBeLessThan(1_000);
});

test("a World whose server tells no time says that it goes by the caller's", async () => {
  const database = await temporaryDatabase();
  const world = mongodbWorld(database);
  await world.open();
  const { clock } = world.describe();
  await world.createRuns([newRun("run")], NOW);
  const { now } = await world.claim(claiming({ workflows: ["none"] }));
  if (clock === "the caller's") expect(now).toBe(NOW);
  else expect(now).not.toBe(NOW);
  await world.close();
  expect((await openWorld(database)).describe().clock).toBe("the caller's");
});
