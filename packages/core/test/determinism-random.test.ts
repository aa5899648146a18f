import { describe, expect, it } from "vitest";
import { fillRandom, randomUuid, seededRandom } from "../src/determinism/index.ts";

const take = (seed: string, count: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

describe("seededRandom", () => {
  it("gives the same numbers for the same seed, in every version", () => {
    expect(take("wrun_1", 100)).toEqual(take("wrun_1", 100));
    expect(take("wrun_1", 3)).toMatchInlineSnapshot(`
      [
        0.10447931885836059,
        0.7391077552612632,
        0.09128076727408296,
      ]
    `);
  });

  it("gives other numbers for another seed", () => {
    expect(take("wrun_1", 3)).not.toEqual(take("wrun_2", 3));
  });

  it("is even over [0, 1), down to the lowest bits", () => {
    const numbers = take("even", 100_000);
    const halves = new Array<number>(10).fill(0);
    let odd = 0;
    for (const number of numbers) {
      expect(number >= 0 && number < 1).toBe(true);
      halves[Math.floor(number * 10)] = (halves[Math.floor(number * 10)] ?? 0) + 1;
      odd += Number(BigInt(number * 2 ** 53) & 1n);
    }
    for (const count of [...halves.map((half) => half * 10), odd * 2]) {
      expect(Math.abs(count - 100_000)).toBeLessThan(5000);
    }
  });
});

describe("what is made of random numbers", () => {
  it("UUIDs are version 4 and differ", () => {
    const random = seededRandom("uuid");
    const ids = Array.from({ length: 1000 }, () => randomUuid(random));
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    expect(new Set(ids).size).toBe(1000);
  });

  it("bytes fill the view, and only the view", () => {
    const bytes = new Uint8Array(16);
    fillRandom(seededRandom("bytes"), new DataView(bytes.buffer, 4, 7));
    expect(bytes.subarray(0, 4)).toEqual(new Uint8Array(4));
    expect(bytes.subarray(11)).toEqual(new Uint8Array(5));
    expect(bytes.subarray(4, 11).some((byte) => byte !== 0)).toBe(true);
    expect(() => fillRandom(seededRandom("none"), new Uint8Array(0))).not.toThrow();
  });
});
