import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { endOfKeys, fromStoredKey, nextKey, toStoredKey } from "../src/keys.ts";
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

test("keys come back as they were, and lie together by their beginnings", () => {
  const keys = [...UNUSUAL, "a\ud83d", "a\udd11\ud83d", "a\ud83db", "a\ue000", "a🔑b", "\xed\xa0", "a\0\0"];
  for (const key of keys) expect(fromStoredKey(toStoredKey(key))).toBe(key);
  for (const prefix of ["", "a", "a\0", "a🔑", "a\ud83db"]) {
    const [from, end] = [toStoredKey(prefix), endOfKeys(prefix)];
    const inside = keys.filter((key) => {
      const stored = toStoredKey(key);
      return Buffer.compare(stored, from) >= 0 && Buffer.compare(stored, end) < 0;
    });
    expect(inside).toEqual(keys.filter((key) => key.startsWith(prefix)));
  }
  const sorted = [...keys].sort((a, b) => Buffer.compare(toStoredKey(a), toStoredKey(b)));
  for (const [index, key] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined) expect(Buffer.compare(nextKey(key), toStoredKey(next))).toBeLessThanOrEqual(0);
  }
});
