import type { RecordWrite } from "@perdure/core/world";
import { NOW } from "@perdure/testbed/requests";
import { MongoClient } from "mongodb";
import { expect, onTestFinished, test, vi } from "vitest";
import { fromStored, toStoredKey } from "../src/text.ts";
import { openWorld, temporaryDatabase } from "./store.ts";

function newRecord(key: string, ttl: number | null): RecordWrite {
  return { key, writeId: `write of ${key}`, ifVersion: null, value: new Uint8Array(10), ttl };
}

test("later writes remove what has expired, in batches", async () => {
  const store = await temporaryDatabase();
  const world = await openWorld(store);
  const client = new MongoClient(store.url);
  onTestFinished(() => client.close());
  const stored = () => client.db(store.db).collection("perdure_records").countDocuments({});
  const many = Array.from({ length: 60 }, (_, index) => newRecord(`key-${index}`, index % 3 === 0 ? 0 : 10));
  await world.writeRecords(many, NOW);
  const lasting = Array.from({ length: 50 }, (_, index) => newRecord(`lasting-${index}`, null));
  // Few writes in one process do not look each time.
  for (const write of lasting.slice(0, 25)) await world.writeRecords([write], NOW + 10);
  await world.writeRecords(lasting.slice(25), NOW + 10);
  expect(await stored()).toBe(50);
  // Another process looks at its first write.
  await world.writeRecords([newRecord("short", 1)], NOW + 10);
  await (await openWorld(store)).writeRecords([newRecord("first", null)], NOW + 20);
  expect(await stored()).toBe(51);
});

test("a record that is made again while its last one is removed stays", async () => {
  const store = await temporaryDatabase();
  const other = await openWorld(store);
  const again = { ...newRecord("short", null), writeId: "made again" };
  const world = await openWorld({
    ...store,
    async beforeOperation(operation) {
      if (operation === "sweep records") {
        expect(await other.writeRecords([again], NOW + 10)).toEqual([{ outcome: "written" }]);
      }
    },
  });
  await other.writeRecords([newRecord("short", 10)], NOW);
  await world.writeRecords([newRecord("a", null)], NOW + 10);
  expect(await world.readRecords(["short"], NOW + 10)).toMatchObject([{ version: "made again" }]);
});

test("a ttl counts by the server's clock, or where it tells no time, by the caller's", async () => {
  const world = await openWorld({ ...(await temporaryDatabase()), clock: "store" });
  const [early, late] = world.capabilities.ownClock === true ? [0, NOW * 2] : [NOW, NOW + 1];
  await world.writeRecords([newRecord("long", 60_000), newRecord("short", 1)], early);
  const [long] = await world.readRecords(["long"], late);
  expect(long?.ttl).toBeGreaterThan(0);
  expect(long?.ttl).toBeLessThanOrEqual(60_000);
  const isGone = async () => expect(await world.readRecords(["short"], late)).toEqual([null]);
  await vi.waitFor(isGone, { timeout: 10_000 });
  const page = await world.listRecords({ prefix: "", limit: 10, now: late });
  expect(page.records.map(({ key }) => key)).toEqual(["long"]);
});

test("a value that fits into no document is refused for good", async () => {
  const world = await openWorld(await temporaryDatabase());
  const limit = world.capabilities.largestValue ?? 0;
  const large = { ...newRecord("large", null), value: new Uint8Array(limit + 1) };
  await expect(world.writeRecords([large], NOW)).rejects.toMatchObject({ retryable: false });
  const largest = { ...large, key: "🔑".repeat(127), value: new Uint8Array(limit) };
  expect(await world.writeRecords([largest], NOW)).toEqual([{ outcome: "written" }]);
});

test("keys are stored so that UTF-8 and UTF-16 put them in one order", () => {
  const keys = ["", "a", "a\0", "a\uFDD0", "a🔑", "a\uFFFF", "\uD83D", "\uDD11", "🔑"];
  const stored = keys.map(toStoredKey);
  expect(stored.map(fromStored)).toEqual(keys);
  for (const key of stored) expect(key).not.toMatch(/[\uD800-\uDFFF]/);
  const byUtf8 = stored.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(byUtf8).toEqual(stored.toSorted());
});
