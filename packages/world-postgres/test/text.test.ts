import { expect, test } from "vitest";
import { fromStored, toStored } from "../src/text.ts";

const STRINGS = [
  "",
  "a",
  "\0",
  "\u0001",
  "\u0002",
  "\u00010",
  "a\0b",
  "a\u00011b",
  "\u0001u0000",
  "\ud800",
  "\udfffx",
  "🔑",
  "é",
];

test("every string comes back, and no two have one stored form", () => {
  for (const text of STRINGS) expect(fromStored(toStored(text))).toBe(text);
  expect(new Set(STRINGS.map(toStored)).size).toBe(STRINGS.length);
});

test("the stored form has no NUL and survives UTF-8", () => {
  for (const text of STRINGS) {
    const stored = toStored(text);
    expect(stored).not.toContain("\0");
    expect(Buffer.from(stored, "utf8").toString("utf8")).toBe(stored);
  }
});

test("ordinary text is stored as it is", () => {
  for (const text of ["wrun_01J", "step//./src//charge", "🔑 key", "line\nbreak"])
    expect(toStored(text)).toBe(text);
});

test("NUL keeps its place in the order", () => {
  const strings = ["a", "a\0", "a\0\0", "a\0b", "a\u0001", "a\u0002", "ab"];
  expect(strings.map(toStored).toSorted()).toEqual(strings.toSorted().map(toStored));
});
