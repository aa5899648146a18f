import { expect, test } from "vitest";
import { full } from "../src/cli/format.ts";
import { jsonable } from "../src/cli/terminal.ts";

/** What the command line prints of values and errors, whatever they hold. */

const itself = new Error("first");
itself.cause = new Error("second", { cause: itself });

test("an error that is its own cause", () => {
  expect(full(itself)).toMatch(/^Error: first.*\ncaused by Error: second.*\ncaused by itself$/s);
  const second = { name: "Error", message: "second", stack: expect.any(String), cause: "[circular]" };
  expect(jsonable(itself)).toEqual({
    name: "Error",
    message: "first",
    stack: expect.any(String),
    cause: second,
  });
});

test("values that JSON has no form for", () => {
  const map = new Map<unknown, unknown>([["big", 1n]]);
  map.set("itself", map);
  const shared = { at: new Date(0) };
  const value = { map, set: new Set([1]), bytes: new Uint8Array([1]), twice: [shared, shared], none: null };
  expect(JSON.parse(JSON.stringify(jsonable(value)))).toEqual({
    map: { big: "1", itself: "[circular]" },
    set: [1],
    bytes: "AQ==",
    twice: [{ at: "1970-01-01T00:00:00.000Z" }, { at: "1970-01-01T00:00:00.000Z" }],
    none: null,
  });
});
