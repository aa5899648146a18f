import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { fromStored, toStored } from "../src/text.ts";
import { openWorld, temporaryFile } from "./store.ts";

const UNUSUAL = [
  "",
  "a",
  "A",
  "a\0",
  "a\0b",
  "\0",
  "🔑",
  "\ud83d",
  "\ud83e",
  "\udd11",
  "\ufffd",
  "\ufeffa",
  "x".repeat(255),
];

test("every string comes back as it was, and equals only itself", async () => {
  const world = await openWorld({ path: temporaryFile() });
  await world.createRuns(
    UNUSUAL.map((text) => newRun(text, { lease: { owner: text, claimId: text, ttl: 1 } })),
    NOW,
  );
  const rows = await world.getRuns(UNUSUAL);
  expect(rows.map((row) => [row?.runId, row?.owner, row?.claimId])).toEqual(
    UNUSUAL.map((text) => [text, text, text]),
  );
});

test("only strings that SQLite would not keep are stored as bytes", () => {
  for (const text of UNUSUAL) expect(fromStored(toStored(text))).toBe(text);
  expect(UNUSUAL.filter((text) => typeof toStored(text) !== "string")).toEqual([
    "a\0",
    "a\0b",
    "\0",
    "\ud83d",
    "\ud83e",
    "\udd11",
  ]);
});
