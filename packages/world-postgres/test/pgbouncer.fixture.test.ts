import { setTimeout as delay } from "node:timers/promises";
import { step, workflow } from "@perdure/core";
import { Client, EngineWorker } from "@perdure/core/testing";
import type { Hint } from "@perdure/core/world";
import { startPgBouncer } from "@perdure/testbed/pgbouncer";
import { startPostgres } from "@perdure/testbed/postgres";
import { CLAIM_ID, finish, NOW, newRun } from "@perdure/testbed/requests";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { chargeOnce } from "./charges.ts";
import { shareRuns } from "./processes/share.ts";
import { openWorld, pooledUrl, superuser, temporarySchema } from "./store.ts";

test("in transaction mode notifications are off, and the log and describe() say so", async () => {
  const warn = vi.fn();
  const logger = { debug() {}, info() {}, warn, error() {} };
  const world = await openWorld({ url: await pooledUrl(), schema: temporarySchema(), logger });
  expect(world.describe()).toMatchObject({ connection: "pooled", notifications: "off" });
  expect(world.capabilities).toMatchObject({
    notifications: false,
    leaseKeeper: expect.any(Function),
  });
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    expect.stringMatching(/notifications are off: there is a pooler before the database/),
  ]);
}, 120_000);

// All that goes wrong behind a pooler has one code, so the code alone would say nothing.
test("what the pooler says when it cannot serve is told", async () => {
  const url = new URL(await pooledUrl());
  url.pathname = "/nowhere";
  await expect(openWorld({ url: url.href, openTimeout: 0 })).rejects.toThrow(/"nowhere" does not exist/);
});

test("two worker processes behind two connections: every step body once, no prepared statement", async () => {
  const url = await pooledUrl();
  await shareRuns(url, { runs: 60, steps: 8, atOnce: 20 });
  expect(await preparedStatements(url, 2)).toEqual([]);
}, 120_000);

test("a lease is renewed for as long as its step lasts, with another worker waiting for it", async () => {
  const schema = temporarySchema();
  const url = await pooledUrl();
  const admin = await superuser();
  let bodies = 0;
  const slow = step("test/slow", async () => {
    bodies++;
    const expiries = new Set<string>();
    while (expiries.size < 4) {
      const { rows } = await admin.query(`SELECT due_at FROM ${schema}.runs`);
      expiries.add(rows[0]?.due_at);
      await delay(50);
    }
    return bodies;
  });
  const program = workflow("test/slow-run", () => slow());
  const worlds = [
    await openWorld({ url, schema, clock: "store" }),
    await openWorld({ url, schema, clock: "store" }),
  ];
  for (const world of worlds) {
    const worker = new EngineWorker({ world, leaseTtl: 3_000, pollInterval: 100 });
    onTestFinished(() => worker.close());
    await worker.start();
  }
  const client = new Client({ world: worlds[0] as (typeof worlds)[number] });
  const run = await client.start<number>(program, []);
  expect(await run.returnValue).toBe(1);
  expect(bodies).toBe(1);
});

test("pooler and server restart under load: every step once, nothing lost", async () => {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  const pooler = await startPgBouncer(server.url, { default_pool_size: 2, server_login_retry: 1 });
  onTestFinished(() => pooler.stop());
  const world = await openWorld({ url: pooler.url, clock: "store" });
  const restarts: Promise<void>[] = [];
  await chargeOnce(world, { runs: 30, steps: 8 }, (done) => {
    if (done === 60) restarts.push(pooler.restart());
    if (done === 140) restarts.push(server.restart("immediate"));
  });
  await Promise.all(restarts);
  expect(restarts).toHaveLength(2);
}, 120_000);

test("in session mode notifications work where they are asked for", async () => {
  const options = { url: await pooledUrl({ pool_mode: "session" }), schema: temporarySchema(), listen: true };
  const [writer, listener] = [await openWorld(options), await openWorld(options)];
  expect(listener.capabilities.notifications).toBe(true);
  const hints: Hint[] = [];
  listener.subscribe((hint) => hints.push(hint));
  // That it listens is itself a hint: something may have changed before.
  await vi.waitUntil(() => hints.length > 0, 10_000);
  await writer.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1_000 } })], NOW);
  expect(await writer.commit([finish("wrun_1", 1, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
  await vi.waitUntil(() => hints.some((hint) => "runId" in hint && hint.runId === "wrun_1"), 10_000);
});

/** The names of all prepared statements in the sessions of a pooler that has so many. */
async function preparedStatements(url: string, sessions: number): Promise<string[]> {
  const pool = new pg.Pool({ connectionString: url, max: sessions });
  onTestFinished(() => pool.end());
  const names: string[] = [];
  const pids = new Set<number>();
  // A transaction keeps its session to itself, so each of these has another.
  const clients = await Promise.all(Array.from({ length: sessions }, () => pool.connect()));
  for (const client of clients) {
    await client.query("BEGIN");
    const { rows } = await client.query<{ pid: number; names: string[] }>(
      "SELECT pg_backend_pid() AS pid, (SELECT coalesce(array_agg(name), '{}') FROM pg_prepared_statements) AS names",
    );
    for (const row of rows) {
      pids.add(row.pid);
      names.push(...row.names);
    }
  }
  for (const client of clients) {
    await client.query("COMMIT");
    client.release();
  }
  expect(pids.size).toBe(sessions);
  return names;
}
