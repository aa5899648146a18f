import { describe, expect, it } from "vitest";
import { durationMs, parseDuration } from "../src/duration.ts";

describe("parseDuration", () => {
  it.each([
    [0, 1000],
    [1500, 2500],
    ["90s", 91_000],
    ["3 days", 259_201_000],
    ["250", 1250],
    [new Date(5), 5],
  ])("%j counts from now", (value, end) => {
    expect(parseDuration(value, 1000, "sleep()")).toBe(end);
  });

  it("stays within what a Date can hold", () => {
    expect(parseDuration("200000 years", 3_000_000_000_000_000, "ttl")).toBe(8_640_000_000_000_000);
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
    expect(() => parseDuration(value, 0, "sleep()")).toThrow(TypeError);
    expect(() => parseDuration(value, 0, "sleep()")).toThrow(/^sleep\(\): .*"5m"/);
  });

  it("refuses what untyped code may pass", () => {
    for (const value of [null, undefined, {}, 5n, true]) {
      expect(() => durationMs(value as unknown as number, "timeout")).toThrow(TypeError);
    }
  });

  it("gives whole milliseconds, never fewer than were asked for", () => {
    expect(durationMs(0.5, "timeout")).toBe(1);
    expect(durationMs("0.1ms", "timeout")).toBe(1);
    expect(parseDuration(1.2, 1000, "ttl")).toBe(1002);
  });
});
