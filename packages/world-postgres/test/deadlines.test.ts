import { setImmediate } from "node:timers/promises";
import type { Hint } from "@perdure/core/world";
import { CLAIM_ID, event, finish, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { postgresWorld } from "../src/index.ts";
import { chargeOnce } from "./charges.ts";
import { startProxy, startServer } from "./proxy.ts";
import { openWorld, pooledUrl, serverUrl, superuser, temporarySchema } from "./store.ts";

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };
const step = hold("wrun_1", 1, [event("step_completed", "s")]);

test("a commit whose answer never comes: its connection is given up, and the next try has a fresh one", async () => {
  const proxy = await startProxy(await serverUrl());
  const world = await openWorld({
    url: proxy.url,
    schema: temporarySchema(),
    callTimeout: 500,
    listen: false,
  });
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  proxy.freezeAfter((message) => message.includes("step_completed"));
  const before = proxy.connections;
  await refuses(world.commit([step], NOW), {
    message: /does not answer\. .* may be in or not.*\(no answer within 500 ms\)/,
    retryable: true,
  });
  expect(await world.commit([step], NOW)).toMatchObject([{ outcome: "committed" }]);
  expect(await world.listEvents("wrun_1", 1, 10)).toHaveLength(1);
  expect(proxy.connections).toBeGreaterThan(before);
});

test("every verb has a deadline", async () => {
  const proxy = await startProxy(await serverUrl());
  const world = await openWorld({
    url: proxy.url,
    schema: temporarySchema(),
    callTimeout: 300,
    listen: false,
  });
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  const message = { messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null } as const;
  const calls: readonly (() => Promise<unknown>)[] = [
    () => world.createRuns([newRun("wrun_2")], NOW),
    () => world.commit([step], NOW),
    () => world.deliver([message], NOW),
    () => world.renew({ leases: [{ runId: "wrun_1", epoch: 1, claimId: CLAIM_ID }], ttl: 1, now: NOW }),
    () => world.getRuns(["wrun_1"]),
    () => world.listEvents("wrun_1", 0, 10),
    () => world.deleteRuns(["wrun_1"]),
  ];
  for (const call of calls) {
    await call();
    proxy.freeze();
    await refuses(call(), { message: /does not answer/, retryable: true });
  }
});

test("time in which this process computes, and can hear no answer, does not count", async () => {
  const compute = (milliseconds: number): void => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  };
  const url = await serverUrl();
  const world = postgresWorld({ url, schema: temporarySchema(), callTimeout: 500, openTimeout: 500 });
  onTestFinished(() => world.close());
  const opening = world.open();
  await setImmediate();
  // Longer than a connection may take to be made.
  compute(1_200);
  await opening;
  const reading = world.getRuns(["wrun_1"]);
  await setImmediate();
  compute(700);
  expect(await reading).toEqual([null]);
});

test("a worker goes on after all of its connections have gone silent", async () => {
  const proxy = await startProxy(await serverUrl());
  const world = await openWorld({
    url: proxy.url,
    schema: temporarySchema(),
    clock: "store",
    callTimeout: 500,
  });
  let frozen = 0;
  await chargeOnce(world, { runs: 20, steps: 10 }, (done) => {
    if (done % 70 !== 0) return;
    frozen++;
    proxy.freeze();
  });
  expect(frozen).toBeGreaterThan(1);
}, 60_000);

test("who listens on a connection that has gone silent finds out, and listens on another", async () => {
  const proxy = await startProxy(await serverUrl());
  const schema = temporarySchema();
  const hearing = await openWorld({ url: proxy.url, schema, callTimeout: 300 });
  const telling = await openWorld({ url: await serverUrl(), schema });
  const hints: Hint[] = [];
  hearing.subscribe((hint) => hints.push(hint));
  await vi.waitUntil(() => hints.length === 1, 20_000);
  proxy.freeze();
  // That it listens again is a hint: it may have missed something.
  await vi.waitUntil(() => hints.length > 1, 20_000);
  await telling.createRuns([newRun("wrun_1")], NOW);
  await vi.waitUntil(() => hints.some(({ type }) => type === "due"), 20_000);
});

test("a server that takes the connection and says nothing", async () => {
  const port = await startServer();
  const world = postgresWorld({ url: `postgres://u:p@127.0.0.1:${port}/app`, openTimeout: 1_000 });
  await refuses(world.open(), { message: /does not answer\. Check host and port/, retryable: true });
});

test("a server that falls silent while opening", async () => {
  const proxy = await startProxy(await serverUrl());
  proxy.freezeAfter((message) => message.includes("array_nulls"));
  const world = postgresWorld({
    url: proxy.url,
    schema: temporarySchema(),
    openTimeout: 500,
    callTimeout: 500,
  });
  await refuses(world.open(), { message: /does not answer/, retryable: true });
  await world.open();
  await world.close();
});

/** Worlds whose sessions are their own, another's, and somebody's behind a pooler. */
const connections = {
  directly: async () => ({ url: await serverUrl() }),
  "in a pool of the user's": async () => {
    const pool = new pg.Pool({ connectionString: await serverUrl() });
    onTestFinished(() => pool.end());
    return { pool };
  },
  "in a Kysely instance": async () => {
    const pool = new pg.Pool({ connectionString: await serverUrl() });
    const kysely = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
    onTestFinished(() => kysely.destroy());
    return { kysely };
  },
  "through PgBouncer": async () => ({ url: await pooledUrl() }),
};

test.each(Object.entries(connections))("what was given up is not written later, %s", async (_, connect) => {
  const schema = temporarySchema();
  const world = await openWorld({ ...(await connect()), schema, callTimeout: 500 });
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  const admin = await superuser();

  // Behind a lock of somebody else's.
  const stranger = new pg.Client(await serverUrl());
  await stranger.connect();
  onTestFinished(() => stranger.end());
  await stranger.query(`BEGIN; SELECT FROM ${schema}.runs FOR UPDATE`);
  await refuses(world.commit([step], NOW), {
    message: /another transaction holds what this call needs\. Nothing was written/,
    retryable: true,
  });
  await stranger.query("ROLLBACK");
  expect(await world.listEvents("wrun_1", 1, 10)).toEqual([]);

  // Slowly.
  await admin.query(`
    CREATE FUNCTION ${schema}.slow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.8); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE UPDATE ON ${schema}.runs FOR EACH ROW EXECUTE FUNCTION ${schema}.slow()`);
  await refuses(world.commit([step], NOW), { message: /too slow|does not answer/, retryable: true });
  await vi.waitUntil(async () => {
    const { rows } = await admin.query(
      "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%' || $1 || '%commit%'",
      [`"${schema}"`],
    );
    return rows.length === 0;
  }, 20_000);
  await admin.query(`DROP TRIGGER slow ON ${schema}.runs`);
  expect(await world.listEvents("wrun_1", 1, 10)).toEqual([]);

  expect(await world.commit([step], NOW)).toMatchObject([{ outcome: "committed" }]);
  expect(await world.commit([finish("wrun_1", 2, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
});

test("the limits of a call stay with it where a session is shared", async () => {
  const url = await pooledUrl({ default_pool_size: 1 });
  const world = await openWorld({ url, schema: temporarySchema() });
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  await world.commit([step], NOW);
  const other = new pg.Client(url);
  await other.connect();
  onTestFinished(() => other.end());
  const { rows } = await other.query("SELECT current_setting('lock_timeout') AS wait");
  expect(rows).toEqual([{ wait: "0" }]);
});
