import type { RecordWrite } from "@perdure/core/world";
import { sharedRedis, startRedis } from "@perdure/testbed/redis";
import { NOW } from "@perdure/testbed/requests";
import { expect, it, vi } from "vitest";
import { connectTo, keysWith, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

function newRecord(key: string, ttl: number | null, size = 10): RecordWrite {
  return { key, writeId: `write of ${key}`, ifVersion: null, value: new Uint8Array(size), ttl };
}

it.each([1, 5])("in %d partitions, later writes remove what has expired", async (partitions) => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace, partitions });
  const many = Array.from({ length: 60 }, (_, index) => newRecord(`key-${index}`, index % 3 === 0 ? 0 : 10));
  await world.writeRecords(many, NOW);
  const client = connectTo(url);
  // A deleted record goes at once.
  expect((await keysWith(namespace, client)).filter((key) => key.includes("record:"))).toHaveLength(40);
  const lasting = Array.from({ length: 50 }, (_, index) => newRecord(`lasting-${index}`, null));
  await world.writeRecords(lasting, NOW + 10);
  const left = await keysWith(namespace, client);
  expect(left.filter((key) => key.includes("record:"))).toHaveLength(50);
  expect(left.filter((key) => key.endsWith("expiring"))).toEqual([]);
  const removals = lasting.map((write) => ({
    ...write,
    writeId: `${write.key} gone`,
    ifVersion: write.writeId,
    ttl: 0,
  }));
  await world.writeRecords(removals, NOW + 10);
  expect((await keysWith(namespace, client)).filter((key) => !key.endsWith(":meta"))).toEqual([]);
});

it("a ttl counts by the server's clock", async () => {
  const world = await openWorld({ url, namespace: newNamespace(), clock: "store" });
  await world.writeRecords([newRecord("long", 60_000), newRecord("short", 1)], 0);
  const [long] = await world.readRecords(["long"], NOW * 2);
  expect(long?.ttl).toBeGreaterThan(0);
  expect(long?.ttl).toBeLessThanOrEqual(60_000);
  const isGone = async () => expect(await world.readRecords(["short"], 0)).toEqual([null]);
  await vi.waitFor(isGone, { timeout: 10_000 });
  const page = await world.listRecords({ prefix: "", limit: 10, now: NOW * 2 });
  expect(page.records.map(({ key }) => key)).toEqual(["long"]);
});

it("a listing reads the records with its prefix only, however many others there are", async () => {
  await using server = await startRedis({ settings: { appendonly: "no" } });
  const world = await openWorld({ url: server.url, partitions: 3 });
  await world.writeRecords(
    Array.from({ length: 3_000 }, (_, index) => newRecord(`filler-${index}`, null)),
    NOW,
  );
  await world.writeRecords([newRecord("few-1", null), newRecord("few-2", null)], NOW);
  const client = connectTo(server.url);
  await client.config("RESETSTAT");
  const { records } = await world.listRecords({ prefix: "few-", limit: 10, now: NOW });
  expect(records.map(({ key }) => key)).toEqual(["few-1", "few-2"]);
  const calls = new Map(
    [...(await client.info("commandstats")).matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(
      ([, command, count]) => [command, Number(count)] as const,
    ),
  );
  expect([calls.get("zrangebylex"), calls.get("hget"), calls.get("hmget")]).toEqual([3, 2, 2]);
  expect([calls.get("scan"), calls.get("keys")]).toEqual([undefined, undefined]);
});

it("a full server still deletes records, and takes a write for which it can remove some", async () => {
  await using server = await startRedis({ settings: { appendonly: "no", "maxmemory-policy": "noeviction" } });
  const world = await openWorld({ url: server.url, patience: 100 });
  await world.writeRecords([newRecord("a", null), newRecord("short", 10)], NOW);
  await connectTo(server.url).config("SET", "maxmemory", "1");
  for (const write of [
    newRecord("b", null),
    newRecord("b", 10),
    { ...newRecord("a", null), ifVersion: "write of a", writeId: "b" },
  ]) {
    await expect(world.writeRecords([write], NOW)).rejects.toThrow(/out of memory/);
  }
  const removal = { ...newRecord("a", 0), writeId: "removal", ifVersion: "write of a" };
  expect(await world.writeRecords([removal], NOW)).toEqual([{ outcome: "written" }]);
  expect(await world.writeRecords([newRecord("after", null)], NOW + 10)).toEqual([{ outcome: "written" }]);
});
