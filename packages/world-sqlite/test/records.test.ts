import { DatabaseSync } from "node:sqlite";
import type { RecordWrite } from "@perdure/core/world";
import { NOW } from "@perdure/testbed/requests";
import { expect, test, vi } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

function newRecord(key: string, ttl: number | null): RecordWrite {
  return { key, writeId: `write of ${key}`, ifVersion: null, value: new Uint8Array(10), ttl };
}

test("later writes remove what has expired, and deleted records as well", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const many = Array.from({ length: 60 }, (_, index) => newRecord(`key-${index}`, index % 3 === 0 ? 0 : 10));
  await world.writeRecords(many, NOW);
  for (let round = 0; round < 3; round++) {
    await world.writeRecords(
      Array.from({ length: 10 }, (_, index) => newRecord(`${round} ${index}`, null)),
      NOW + 10,
    );
  }
  const database = new DatabaseSync(path);
  expect({ ...database.prepare("SELECT count(*) AS records FROM perdure_records").get() }).toEqual({
    records: 30,
  });
  database.close();
});

test("a ttl counts by the store's clock", async () => {
  const world = await openWorld({ path: temporaryFile(), clock: "store" });
  await world.writeRecords([newRecord("long", 60_000), newRecord("short", 1)], 0);
  const [long] = await world.readRecords(["long"], NOW * 2);
  expect(long?.ttl).toBeGreaterThan(0);
  expect(long?.ttl).toBeLessThanOrEqual(60_000);
  const isGone = async () => expect(await world.readRecords(["short"], 0)).toEqual([null]);
  await vi.waitFor(isGone, { timeout: 10_000 });
  const page = await world.listRecords({ prefix: "", limit: 10, now: NOW * 2 });
  expect(page.records.map(({ key }) => key)).toEqual(["long"]);
});

test("a prefix is looked for in the index of the keys", async () => {
  const path = temporaryFile();
  await openWorld({ path });
  const database = new DatabaseSync(path);
  const plan = (where: string): unknown =>
    database.prepare(`EXPLAIN QUERY PLAN SELECT value FROM perdure_records WHERE ${where}`).all();
  const listing = plan(
    "key >= ? AND key < ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key LIMIT ?",
  );
  expect(JSON.stringify(listing)).toMatch(/SEARCH perdure_records USING INDEX/);
  expect(JSON.stringify(listing)).not.toMatch(/SCAN|TEMP B-TREE/);
  database.close();
});

test("a damaged record is named as one", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  await world.writeRecords([newRecord("a", null)], NOW);
  const database = new DatabaseSync(path);
  database.exec("UPDATE perdure_records SET value = 7");
  database.close();
  await expect(world.readRecords(["a"], NOW)).rejects.toThrow(
    /rows of a record in the SQLite World .* value holds a number in place of bytes/,
  );
});
