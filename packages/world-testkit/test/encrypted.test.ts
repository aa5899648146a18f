import { configure, getWorld } from "@perdure/core/runtime";
import { describe, it } from "vitest";
import { laws, runCase } from "../src/index.ts";
import { memoryTarget } from "./memory-target.ts";

// A World with encryption in front of it is a World: whatever shape has a value in it, what went in comes out.

const SHAPES = new Set([
  ...[
    "values",
    "start-once",
    "journal",
    "commit-once",
    "deliver",
    "first-mail",
    "end-mail",
    "names",
    "name-starts",
  ],
  ...["records", "restart", "after-end", "streams", "joining", "opaque-types"],
]);

/** They count what the store has, which is more than what it was sent. */
const COUNTING = new Set([
  "row, events, names and due time appear together",
  "a name that is held is refused, and the journal says so",
  "the journal begins with the commit's events, and numbers go on",
  "a stretch ends with `limit` chunks, or with the chunk that reaches `byteLimit`",
]);

/** Long, and nothing of it is other here. */
const LONG = "10,000 chunks by two writers, each batch sent more than once";

const encryption = { key: new Uint8Array(32).fill(7), compressFrom: 64 };

describe.each(laws.filter(({ name }) => SHAPES.has(name)))("$name, encrypted", (law) => {
  it.each(Object.keys(law.cases).filter((title) => title !== LONG && !COUNTING.has(title)))(
    "%s",
    async (title) => {
      await runCase(
        () =>
          memoryTarget(({ world }) => {
            configure({ world, worker: false, encryption });
            return getWorld();
          }),
        law,
        title,
      );
    },
  );
});
