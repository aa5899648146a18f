import { expect, test } from "vitest";
import { fromStored, fromStoredOrNull, toStored } from "../src/text.ts";

const STRINGS = [
  "",
  "plain",
  "a\0b",
  "a0000b",
  "🔑",
  "\uD83D",
  "\uDD11",
  "\uDD11\uD83D",
  "\uFDD0",
  "\uFDD00000",
  "\uFDD0fdd0",
  "\uFFFD",
  "é",
];

test("every string comes back, and different strings stay different", () => {
  const stored = STRINGS.map(toStored);
  expect(stored.map(fromStored)).toEqual(STRINGS);
  expect(new Set(stored).size).toBe(STRINGS.length);
});

test("what is stored is text that UTF-8 can hold, without NUL", () => {
  for (const stored of STRINGS.map(toStored)) {
    expect(stored).not.toContain("\0");
    expect(new TextDecoder().decode(new TextEncoder().encode(stored))).toBe(stored);
  }
});

test("a missing string is null", () => {
  expect([fromStoredOrNull(undefined), fromStoredOrNull(null), fromStoredOrNull("")]).toEqual([
    null,
    null,
    "",
  ]);
});
