import { expect, test } from "vitest";
import { joined, jsonOf, plainJson } from "../src/page/value/join.ts";
import { linesOf } from "../src/page/value/lines.ts";
import type { Shown } from "../src/protocol.ts";

// Values as the viewer of the page has them.

const object = (entries: Record<string, Shown>, length = Object.keys(entries).length): Shown => ({
  type: "object",
  class: null,
  entries: Object.entries(entries),
  length,
});
const array = (items: Shown[], length = items.length): Shown => ({ type: "array", items, length });
const lines = (whole: Shown, toggled: string[] = [], loaded: [string, Shown][] = []): string[] =>
  linesOf({ whole, toggled: new Set(toggled), loaded: new Map(loaded) }).map(
    ({ depth, label, text }) => `${"  ".repeat(depth)}${label}${text}`,
  );

test("a value is lines, further in for what is inside", () => {
  expect(lines(object({ id: "a", of: array([1, null]), deep: object({ x: object({ y: true }) }) }))).toEqual([
    "{ … }",
    '  id: "a"',
    "  of: [ 2 items ]",
    "    0: 1",
    "    1: null",
    "  deep: { … }",
    "    x: { y: true }",
  ]);
});

test("what is opened opens, and what was open closes", () => {
  const value = object({ deep: object({ x: object({ y: true }) }) });
  expect(lines(value, ['["deep","x"]']).at(-1)).toBe("      y: true");
  expect(lines(value, ["[]"])).toEqual(["{ deep: { x: { y: true } } }"]);
});

test("a long text is one line until it is opened, then pieces", () => {
  const text = `${"a".repeat(150)}\nend`;
  expect(lines(text)).toEqual([`"${"a".repeat(100)}" … 154 characters`]);
  expect(lines(text, ["[]"]).slice(1)).toEqual([`  ${"a".repeat(100)}`, `  ${"a".repeat(50)}`, "  end"]);
});

test("what is not here can be asked for, and is in its place when it came", () => {
  const value = object({ items: array([1, 2], 5), rest: { type: "cut", class: "Array", length: 9 } });
  const shown = linesOf({ whole: value, toggled: new Set(), loaded: new Map() });
  expect(shown.filter(({ more }) => more !== null).map(({ path, more, text }) => [path, more, text])).toEqual(
    [
      [["items"], { offset: 2 }, "… 3 more"],
      [["rest"], { offset: 0 }, "Array of 9 items …"],
    ],
  );
  const more = joined(array([1, 2], 5), array([3, 4, 5], 5));
  expect(lines(value, [], [['["items"]', more]])).toContain("    4: 5");
});

test("stretches of a text are put together", () => {
  const begin: Shown = { type: "text", text: "abc", length: 6 };
  expect(joined(begin, "def")).toBe("abcdef");
  expect(joined(begin, { type: "text", text: "d", length: 6 })).toEqual({
    type: "text",
    text: "abcd",
    length: 6,
  });
});

test("only what JSON can say is offered as arguments of another run", () => {
  expect(plainJson(array([1, object({ a: "b" })]))).toBe(JSON.stringify([1, { a: "b" }], null, 2));
  expect(plainJson(array([{ type: "date", at: 0 }]))).toBeNull();
  expect(plainJson(array([1], 2))).toBeNull();
  expect(jsonOf(array([{ type: "date", at: 0 }]))).toEqual(["1970-01-01T00:00:00.000Z"]);
});
