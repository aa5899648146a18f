import { setTimeout as delay } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { expect, it } from "vitest";
import { Interleaver } from "../src/interleaving.ts";
import { runLaw, Stage } from "../src/law.ts";
import { interleavings } from "../src/laws/interleavings.ts";
import { memoryTarget } from "./memory-target.ts";

const parts = Array.from({ length: 3 }, () => async (world: World) => {
  for (let act = 0; act < 5; act++) await world.getRuns([]);
});

async function orderOf(seed: number): Promise<readonly string[]> {
  const stage = await Stage.on(() => memoryTarget());
  const interleaver = await Interleaver.on(stage, 3);
  await interleaver.play(seed, parts);
  await stage.end();
  return interleaver.order;
}

it("gives one order for a seed, and others for others", async () => {
  const orders = await Promise.all([1, 2, 3, 4, 5, 6].map(orderOf));
  expect(await Promise.all([1, 2, 3, 4, 5, 6].map(orderOf))).toEqual(orders);
  expect(new Set(orders.map((order) => order.join())).size).toBe(6);
  for (const order of orders) expect(order.length).toBe(30);
});

it("goes on with the others while an actor pauses", async () => {
  const stage = await Stage.on(() => memoryTarget());
  const interleaver = await Interleaver.on(stage, 2);
  let done = false;
  const pausing = async () => {
    while (!done) await delay(5);
  };
  const acting = async (world: World) => {
    await world.getRuns([]);
    done = true;
  };
  await interleaver.play(1, [pausing, acting]);
  expect(interleaver.order).toEqual(["1 getRuns", "1 getRuns answer"]);
  await stage.end();
});

it("ends actors that have no end", async () => {
  const stage = await Stage.on(() => memoryTarget());
  const interleaver = await Interleaver.on(stage, 1);
  const forEver = async (world: World) => {
    for (;;) await world.getRuns([]);
  };
  await expect(interleaver.play(1, [forEver])).rejects.toThrow("there is no end after 5000 operations");
  await stage.end();
});

it("the law names the seed that breaks it, and the order", async () => {
  const create = () =>
    memoryTarget(({ world }) => ({ ...world, getRuns: async () => [null], createRuns: async () => [] }));
  const error: unknown = await runLaw(create, interleavings).catch((found: unknown) => found);
  expect(String(error)).toMatch(/Seed 1 \(again with PERDURE_INTERLEAVINGS=1\)/);
});
