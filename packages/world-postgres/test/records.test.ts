import type { RecordWrite } from "@perdure/core/world";
import { NOW } from "@perdure/testbed/requests";
import { expect, test, vi } from "vitest";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

function newRecord(key: string, ttl: number | null): RecordWrite {
  return { key, writeId: `write of ${key}`, ifVersion: null, value: new Uint8Array(10), ttl };
}

test("later writes remove what has expired, but wait for nobody who has it locked", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema, clock: "caller" });
  const many = Array.from({ length: 60 }, (_, index) => newRecord(`key-${index}`, index % 3 === 0 ? 0 : 10));
  await world.writeRecords(many, NOW);
  const admin = await superuser();
  const client = await admin.connect();
  await client.query(`BEGIN; SELECT FROM ${schema}.records WHERE key = 'key-59' FOR UPDATE`);
  for (let round = 0; round < 3; round++) {
    await world.writeRecords(
      Array.from({ length: 10 }, (_, index) => newRecord(`${round} ${index}`, null)),
      NOW + 10,
    );
  }
  await client.query("COMMIT");
  client.release();
  const { rows } = await admin.query(`SELECT count(*)::int AS records FROM ${schema}.records`);
  expect(rows).toEqual([{ records: 31 }]);
});

test("a ttl counts by the server's clock, and goes on while a writer waits for a lock", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema, clock: "store" });
  await world.writeRecords([newRecord("long", 60_000), newRecord("short", 400)], 0);
  const [long] = await world.readRecords(["long"], NOW * 2);
  expect(long?.ttl).toBeGreaterThan(0);
  expect(long?.ttl).toBeLessThanOrEqual(60_000);
  const client = await (await superuser()).connect();
  await client.query(`BEGIN; SELECT FROM ${schema}.records FOR UPDATE`);
  const taken = world.writeRecords([{ ...newRecord("short", null), writeId: "taken over" }], 0);
  const isGone = async () => expect(await world.readRecords(["short"], 0)).toEqual([null]);
  await vi.waitFor(isGone, { timeout: 10_000 });
  await client.query("COMMIT");
  client.release();
  expect(await taken).toEqual([{ outcome: "written" }]);
});

test("a user's own isolation level loses no write", async () => {
  const schema = temporarySchema();
  const url = new URL(await serverUrl());
  url.searchParams.set("options", "-c default_transaction_isolation=serializable");
  const world = await openWorld({ url: url.href, schema });
  let version: string | null = null;
  for (let round = 0; round < 5; round++) {
    const writes = Array.from({ length: 8 }, (_, index) => ({
      ...newRecord("a", null),
      ...{ writeId: `${round} ${index}`, ifVersion: version },
    }));
    const answers = await Promise.all(writes.map((write) => world.writeRecords([write], NOW)));
    const written = writes.filter((_, index) => answers[index]?.[0]?.outcome === "written");
    expect(written).toHaveLength(1);
    version = written[0]?.writeId ?? null;
  }
});
