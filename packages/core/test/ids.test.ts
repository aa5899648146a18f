import { expect, it } from "vitest";
import { entityId, keyedMessageId } from "../src/ids.ts";

// Ids that are made of several parts are those of no other parts, whatever characters these contain.

it.each<[one: [string, string], other: [string, string]]>([
  [
    ["a\0b", "c"],
    ["a", "b\0c"],
  ],
  [
    ["", "\0"],
    ["\0", ""],
  ],
  [
    ["a", '"b'],
    ['a"', "b"],
  ],
  [
    ['a","b', "c"],
    ["a", 'b","c'],
  ],
  [
    ["1:a", "b"],
    ["1", "a:b"],
  ],
  [
    ["a\\", "b"],
    ["a", "\\b"],
  ],
  [
    ["\ud800", "a"],
    ["\ud801", "a"],
  ],
])("a message of the token and key %j is not that of %j", (one, other) => {
  expect(keyedMessageId(...one)).not.toBe(keyedMessageId(...other));
  expect(keyedMessageId(...one)).toBe(keyedMessageId(...one));
});

it.each<[one: [string, number], other: [string, number]]>([
  [
    ["a", 1],
    ["a\x001", 1],
  ],
  [
    ["a\x001", 1],
    ["a", 11],
  ],
  [
    ["a,1", 1],
    ["a", 1],
  ],
  [
    ["\ud800", 1],
    ["\udfff", 1],
  ],
])("a step %j is not the step %j", (one, other) => {
  const run = { runId: "wrun_1", generation: 0 };
  expect(entityId("step", run, ...one)).not.toBe(entityId("step", run, ...other));
  expect(entityId("step", run, ...one)).not.toBe(entityId("step", { ...run, generation: 1 }, ...one));
  expect(entityId("step", run, ...one)).toMatch(/^step_[\w-]{27}$/);
});
