import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sizesAt } from "../src/sizes.ts";
import { percentile } from "../src/statistics.ts";

const main = join(import.meta.dirname, "../src/main.ts");

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

test("prints every figure as one JSON object in the last line, its progress elsewhere", () => {
  const { status, stdout, stderr } = bench("--world", "sqlite", "--json", "--scale", "0.002");
  expect(stderr).toContain("throughput");
  expect(status).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  const positive = expect.toSatisfy((value) => typeof value === "number" && value > 0);
  expect(JSON.parse(lines[0] ?? "")).toStrictEqual({
    world: "sqlite",
    node: process.version,
    store: expect.objectContaining({ synchronous: expect.anything() }),
    throughput: { runs: 10, steps: 10, stepsPerSecond: positive, coldStepsPerSecond: positive },
    latency: { steps: 10, stepP50Ms: positive, stepP99Ms: positive, coldStepP50Ms: positive },
    long: { steps: 20, first1000Ms: positive, last1000Ms: positive },
    fanOut: { steps: 10, ms: positive },
    replay: { events: 24, ms: positive },
    raw: { commitP50Ms: positive, batchedRowsPerSecond: positive },
    perStep: { commits: positive, roundTrips: positive, bytesInStore: expect.any(Number) },
    lock: {
      acquireReleaseP50Ms: positive,
      acquireReleaseCommits: positive,
      waiting: 10,
      handOversPerSecond: positive,
    },
  });
});

describe("the command line", () => {
  test("names the Worlds it knows when asked for another", () => {
    const { status, stderr } = bench("--world", "paper");
    expect(status).toBe(1);
    expect(stderr).toContain('There is no World "paper" here.');
    expect(stderr).toContain("sqlite");
  });

  test("refuses a flag it does not know", () => {
    expect(bench("--fast")).toMatchObject({ status: 1, stderr: expect.stringContaining("--fast") });
  });
});

test("the full sizes are those of the published figures", () => {
  expect(sizesAt(1)).toMatchObject({
    throughput: { runs: 500, steps: 10 },
    latency: { steps: 100 },
    long: { steps: 10_000 },
    fanOut: { steps: 1000 },
  });
  expect(() => sizesAt(0)).toThrow(TypeError);
  expect(() => sizesAt(Number.NaN)).toThrow(TypeError);
});

test("a percentile is one of the samples, by nearest rank", () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(samples, 0.5)).toBe(50);
  expect(percentile(samples, 0.99)).toBe(99);
  expect(percentile([7], 0.5)).toBe(7);
  expect(() => percentile([], 0.5)).toThrow(TypeError);
});
