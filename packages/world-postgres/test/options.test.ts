import { CLAIM_ID, claiming, finish, firstClaim, NOW, newRun } from "@perdure/testbed/requests";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type PostgresWorldOptions, postgresWorld } from "../src/index.ts";
import { openWorld, serverUrl, temporarySchema } from "./store.ts";

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 1_000 };

test("the settings are shown", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  expect(world.describe()).toEqual({
    database: "postgres",
    schema,
    namespace: "",
    schemaVersion: 1,
    serverVersion: expect.stringMatching(/^1[4-8]\./),
    fsync: expect.stringMatching(/^(on|off)$/),
    synchronousCommit: "on",
    fullPageWrites: "on",
    isolation: "read committed",
    leasesBy: "caller's clock",
    connection: "direct",
    notifications: "on",
  });
  expect(world.capabilities).toMatchObject({
    ownClock: false,
    durability: world.describe().fsync === "on" ? "machine" : "process",
    notifications: true,
  });
});

test("a session that does not wait for the disk is shown and admitted", async () => {
  const url = `${await serverUrl()}?options=${encodeURIComponent("-c synchronous_commit=off")}`;
  const world = await openWorld({ url, schema: temporarySchema() });
  expect(world.describe()).toMatchObject({ synchronousCommit: "off" });
  expect(world.capabilities.durability).toBe("process");
});

test("before it is open it claims nothing", () => {
  const { durability, notifications } = postgresWorld({ url: "postgres://nowhere/app" }).capabilities;
  expect([durability, notifications]).toEqual(["process", false]);
});

test("a pool that the user passes in is used, and stays open", async () => {
  const schema = temporarySchema();
  const pool = new pg.Pool({ connectionString: await serverUrl(), max: 3 });
  onTestFinished(() => pool.end());
  const world = await openWorld({ pool, schema });
  expect(world.capabilities).toMatchObject({ leaseKeeper: null, notifications: true });
  await world.createRuns([newRun("wrun_1")], NOW);
  expect(pool.totalCount).toBeGreaterThan(0);
  await world.close();
  expect((await pool.query(`SELECT count(*)::int AS runs FROM ${schema}.runs`)).rows).toEqual([{ runs: 1 }]);
});

test("a Kysely instance is used, and stays open; without a URL there are no notifications", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  const pool = new pg.Pool({ connectionString: url, max: 3 });
  const kysely = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
  onTestFinished(() => kysely.destroy());
  const world = await openWorld({ kysely, schema });
  expect(world.capabilities).toMatchObject({ leaseKeeper: null, notifications: false });
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  expect(
    await world.renew({ leases: [{ runId: "wrun_1", epoch: 1, claimId: CLAIM_ID }], ttl: 1, now: NOW }),
  ).toMatchObject([{ outcome: "renewed" }]);
  expect(await world.commit([finish("wrun_1", 1, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
  await world.close();

  const withUrl = await openWorld({ kysely, url, schema });
  expect(withUrl.capabilities).toMatchObject({
    notifications: true,
    leaseKeeper: expect.any(Function),
  });
  expect(await withUrl.getRuns(["wrun_1"])).toMatchObject([{ status: "completed" }]);
});

test("a program that has bigints parsed in its own way", async () => {
  const pool = new pg.Pool({
    connectionString: await serverUrl(),
    types: {
      getTypeParser: (id, format) => (id === 20 ? BigInt : pg.types.getTypeParser(id, format)) as never,
    },
  });
  onTestFinished(() => pool.end());
  const world = await openWorld({ pool, schema: temporarySchema() });
  await world.createRuns([newRun("wrun_1")], NOW);
  expect(await world.getRuns(["wrun_1"])).toMatchObject([{ dueAt: NOW, createdAt: NOW }]);
});

test("namespaces share a schema and nothing else", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  const first = await openWorld({ url, schema, namespace: "billing" });
  const second = await openWorld({ url, schema, namespace: "mail" });
  const unnamed = await openWorld({ url, schema });
  const names = [firstClaim("order-1")];
  for (const world of [first, second, unnamed]) {
    expect(await world.createRuns([newRun("wrun_1", { names })], NOW)).toEqual([
      { outcome: "created", lease: null },
    ]);
  }
  await first.deliver([{ messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null }], NOW);
  for (const [world, mailSeq] of [
    [first, 1],
    [second, 0],
    [unnamed, 0],
  ] as const) {
    expect(await world.getRuns(["wrun_1"])).toMatchObject([{ mailSeq }]);
    expect((await world.listRuns({ limit: 10 })).runs).toHaveLength(1);
  }
});

test("by the server's clock: what is due now is due, and a lease lasts at least as long as was asked for", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema, clock: "store" });
  expect(world.capabilities.ownClock).toBe(true);
  // This caller's clock is far behind the server's; the next one's is far ahead.
  await world.createRuns([newRun("wrun_1", { dueAt: NOW })], NOW);
  const ahead = 4_000_000_000_000;
  await world.createRuns([newRun("wrun_2", { dueAt: ahead })], ahead);
  const { runs, now } = await world.claim(claiming({ ttl: 16_000 }));
  expect(runs.map(({ run }) => run.runId).sort()).toEqual(["wrun_1", "wrun_2"]);
  expect(now).toBeGreaterThan(NOW);
  for (const { run } of runs) {
    expect(run.dueAt).toBeGreaterThanOrEqual(now + 16_000);
    expect(run.dueAt).toBeLessThanOrEqual(now + 17_000);
  }
  expect((await world.claim(claiming({ now: ahead }))).runs).toEqual([]);
});

test("options that make no sense are refused at the call", () => {
  const pool = new pg.Pool();
  const refused: [PostgresWorldOptions, RegExp][] = [
    [{ namespace: "Robert'); --" }, /namespace .* becomes part of table names/],
    [{ schema: 'a"b' }, /schema .*: use at most 40/],
    [{ schema: "1st" }, /no digit first/],
    [{ maxConnections: 0 }, /maxConnections is a whole number/],
    [{ openTimeout: Number.NaN }, /openTimeout is a number of milliseconds/],
    [{ clock: JSON.parse('"sundial"') }, /clock is "store" or "caller"/],
    [{ pool, url: "postgres://localhost" }, /takes `pool`, or `url`, or `kysely`/],
  ];
  for (const [options, message] of refused) expect(() => postgresWorld(options)).toThrow(message);
});
