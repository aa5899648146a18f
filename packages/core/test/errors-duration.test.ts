import { describe, expect, it } from "vitest";
import { durationMs, parseDuration } from "../src/duration.ts";
import { DurationError } from "../src/errors/index.ts";

describe("parseDuration", () => {
  it.each([
    [0, 1000],
    [1500, 2500],
    ["90s", 91_000],
    ["3 days", 259_201_000],
    ["250", 1250],
    [new Date(5), 5],
  ])("%j counts from now", (value, end) => {
    expect(parseDuration(value, 1000)).toBe(end);
  });

  it("stays within what a Date can hold", () => {
    expect(parseDuration("200000 years", 3_000_000_000_000_000)).toBe(8_640_000_000_000_000);
  });

  it.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "",
    "soon",
    "-5m",
    "x".repeat(101),
    new Date(Number.NaN),
  ])("%s is refused, with examples", (value) => {
    expect(() => parseDuration(value, 0)).toThrow(DurationError);
    expect(() => parseDuration(value, 0)).toThrow(/"5m"/);
  });

  it("refuses what untyped code may pass", () => {
    for (const value of [null, undefined, {}, 5n, true]) {
      expect(() => durationMs(value as unknown as number)).toThrow(DurationError);
    }
  });

  it("gives whole milliseconds, never fewer than were asked for", () => {
    expect(durationMs(0.5)).toBe(1);
    expect(durationMs("0.1ms")).toBe(1);
    expect(parseDuration(1.2, 1000)).toBe(1002);
  });
});
