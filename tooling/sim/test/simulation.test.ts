import { describe, expect, it } from "vitest";
import { FAULTS, type Plant } from "../src/config.ts";
import type { Law } from "../src/failure.ts";
import { type SimResult, simulate } from "../src/simulation.ts";

const BUDGET = 60;

/** The first cluster that breaks a law. */
async function firstBroken(plant?: Plant): Promise<SimResult | undefined> {
  for (let seed = 1; seed <= BUDGET; seed++) {
    const result = await simulate({ seed, faults: FAULTS, ...(plant !== undefined && { plant }) });
    if (result.broken !== null) return result;
  }
  return undefined;
}

describe("simulation", () => {
  it("finds nothing in the engine as it is", async () => {
    const found = await firstBroken();
    expect(found?.broken?.message, found?.trace.join("\n")).toBeUndefined();
  });

  it("takes the same course for the same seed", async () => {
    for (const seed of [3, 14, 15]) {
      const first = await simulate({ seed, faults: FAULTS });
      const again = await simulate({ seed, faults: FAULTS });
      expect(again).toEqual(first);
      expect(first.events).toBeGreaterThan(0);
    }
  });
});

describe("a planted bug is found", () => {
  const plants: readonly (readonly [Plant, Law])[] = [
    ["no-epoch-check", "fencing"],
    ["deliver-without-wake", "liveness of a parked run"],
    ["park-over-mail", "liveness of a parked run"],
    ["commit-applied-twice", "journal grammar"],
    ["event-order-swapped", "no divergence"],
  ];

  it.each(plants)("%s: %s", async (plant, law) => {
    const found = await firstBroken(plant);
    expect(found?.broken?.law).toBe(law);
    expect(found?.trace.length).toBeGreaterThan(0);
    const again = await simulate({ seed: found?.seed ?? 0, faults: FAULTS, plant });
    expect(again).toEqual(found);
  });
});
