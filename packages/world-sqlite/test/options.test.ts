import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { inspect } from "node:util";
import { event, firstClaim, NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { type SqliteWorldOptions, sqliteWorld } from "../src/index.ts";
import { openWorld, temporaryDirectory, temporaryFile } from "./store.ts";

test("commits are flushed by default, and the settings are shown", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  expect(world.capabilities).toMatchObject({
    durability: "machine",
    notifications: true,
    commitsInFlight: 1,
  });
  expect(world.describe()).toEqual({
    path,
    namespace: "",
    schemaVersion: 1,
    sqliteVersion: expect.stringMatching(/^3\.\d+/),
    journalMode: "wal",
    synchronous: "full",
    pageSize: 4096,
    walAutocheckpoint: 1000,
    busyTimeout: 10_000,
    leasesBy: "caller's clock",
  });
});

test("a weaker flush is chosen, shown and admitted", async () => {
  for (const synchronous of ["normal", "off"] as const) {
    const world = await openWorld({ path: temporaryFile(), synchronous });
    expect(world.describe()).toMatchObject({ synchronous });
    expect(world.capabilities.durability).toBe("process");
  }
});

test("the default file lies in .perdure of the working directory", async () => {
  const keeper = await sqliteWorld().capabilities.leaseKeeper?.();
  expect(keeper?.options).toMatchObject({ path: join(process.cwd(), ".perdure", "perdure.db") });
});

test("capabilities show no options of the lease keeper", () => {
  const { capabilities } = sqliteWorld({ path: "/nowhere/s3cret.db" });
  expect(capabilities.leaseKeeper).not.toBeNull();
  expect(inspect(capabilities, { depth: 10 }) + JSON.stringify(capabilities)).not.toContain("s3cret");
});

test("in memory: one process, nothing survives, no keeper", async () => {
  const world = await openWorld({ path: ":memory:" });
  expect(world.capabilities).toEqual({
    durability: "nothing",
    embedded: true,
    notifications: false,
    commitsInFlight: 1,
    ownClock: false,
    streams: true,
    joining: true,
    largestValue: 128 * 1024 * 1024,
    leaseKeeper: null,
  });
  await world.createRuns([newRun("wrun_1")], NOW);
  expect(await world.getRuns(["wrun_1"])).toMatchObject([{ runId: "wrun_1" }]);
  const other = await openWorld({ path: ":memory:" });
  expect(await other.getRuns(["wrun_1"])).toEqual([null]);
});

test("a connection that the user passes in is used, and stays open", async () => {
  const path = temporaryFile();
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE mine (id INTEGER)");
  const world = await openWorld({ database });
  expect(world.describe()).toMatchObject({ path, journalMode: "wal", synchronous: "full" });
  expect(world.capabilities.leaseKeeper).toBeNull();
  await world.createRuns([newRun("wrun_1")], NOW);
  await world.close();
  expect(database.prepare("SELECT count(*) AS runs FROM perdure_runs").get()).toEqual({ runs: 1 });
  database.close();
});

test("namespaces share a file and nothing else", async () => {
  const path = temporaryFile();
  const first = await openWorld({ path, namespace: "billing" });
  const second = await openWorld({ path, namespace: "mail" });
  const unnamed = await openWorld({ path });
  const names = [firstClaim("order-1")];
  for (const world of [first, second, unnamed]) {
    expect(await world.createRuns([newRun("wrun_1", { names })], NOW)).toEqual([
      { outcome: "created", lease: null },
    ]);
  }
  await first.deliver([{ messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null }], NOW);
  expect(await first.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: 1 }]);
  expect(await second.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: 0 }]);
  expect(await unnamed.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: 0 }]);
});

test("the largest value is written and read back", async () => {
  const world = await openWorld({ path: temporaryFile(), synchronous: "off" });
  const data = Buffer.alloc(world.capabilities.largestValue ?? 0, 0x61);
  await world.createRuns([newRun("wrun_1", { events: [{ ...event("run_created"), data }] })], NOW);
  const [read] = await world.listEvents("wrun_1", 0, 1);
  expect(Buffer.compare(read?.data ?? Buffer.alloc(0), data)).toBe(0);
}, 60_000);

test("options that make no sense are refused at the call", () => {
  const path = join(temporaryDirectory(), "perdure.db");
  const refused: [SqliteWorldOptions, RegExp][] = [
    [{ path, namespace: "Robert'); --" }, /namespace .* becomes part of table names/],
    [{ path, namespace: "A" }, /namespace/],
    [{ path, busyTimeout: Number.NaN }, /busyTimeout is a number of milliseconds/],
    [{ path, busyTimeout: Number.POSITIVE_INFINITY }, /busyTimeout is a number of milliseconds/],
    [{ path, clock: JSON.parse('"mine"') }, /clock is "store" or "caller"/],
    [{ path: "" }, /path is the path of a file/],
    [{ path: JSON.parse("7") }, /path is the path of a file/],
    [{ path, synchronous: JSON.parse('"sometimes"') }, /synchronous is "full", "normal" or "off"/],
    [{ path, database: new DatabaseSync(":memory:") }, /`path` or `database`, not both/],
  ];
  for (const [options, message] of refused) expect(() => sqliteWorld(options)).toThrow(message);
});
