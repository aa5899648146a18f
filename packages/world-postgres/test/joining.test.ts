import type { SqlTransaction } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, finish, firstClaim, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

/** Transactions of the program's own that starts and messages join. */

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };
const message = { messageId: "m", to: { name: "hook" }, type: "t", at: NOW, data: null };

test("a Kysely transaction: with its commit, and not with its rollback", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  const pool = new pg.Pool({ connectionString: await serverUrl(), max: 1 });
  const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
  onTestFinished(() => db.destroy());
  const failing = db.transaction().execute(async (transaction) => {
    await world.joining(transaction).createRuns([newRun("wrun_1")], NOW);
    throw new Error("rolled back");
  });
  await expect(failing).rejects.toThrow("rolled back");
  await db.transaction().execute(async (transaction) => {
    const joined = world.joining(transaction);
    await joined.createRuns([newRun("wrun_2", { names: [firstClaim("hook")] })], NOW);
    await joined.deliver([message], NOW);
  });
  const { runs } = await world.claim(claiming());
  expect(runs).toMatchObject([{ run: { runId: "wrun_2" }, mail: [{ messageId: "m" }] }]);
  expect(await world.getRuns(["wrun_1"])).toEqual([null]);
  const { rows } = await (await superuser()).query(`SELECT count(*)::int AS rows FROM ${schema}.outbox`);
  expect(rows).toEqual([{ rows: 0 }]);
});

test("a transaction of another library needs nothing but execute; one that stays open is in nobody's way", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  // No call waits for longer than this.
  const world = await openWorld({ url, schema, callTimeout: 5_000 });
  const client = new pg.Client(url);
  await client.connect();
  onTestFinished(() => client.end());
  const transaction: SqlTransaction = { execute: (sql, parameters) => client.query(sql, [...parameters]) };
  await client.query("BEGIN");
  const names = [firstClaim("hook")];
  await world.joining(transaction).createRuns([newRun("wrun_1", { names })], NOW);
  await world.joining(transaction).deliver([message], NOW);

  // Meanwhile others use the very same name, and go on to their end.
  await world.createRuns([newRun("wrun_2", { lease, names })], NOW);
  expect(await world.commit([hold("wrun_2", 1, [event("step_created", "s")])], NOW)).toMatchObject([
    { outcome: "committed" },
  ]);
  expect((await world.claim(claiming())).runs).toEqual([]);
  await world.commit([finish("wrun_2", 2, NOW)], NOW);
  expect(await world.deleteRuns(["wrun_2"])).toBe(1);
  await client.query("COMMIT");
  expect((await world.claim(claiming())).runs).toMatchObject([
    { run: { runId: "wrun_1" }, mail: [{ messageId: "m" }] },
  ]);
});

test("what is no transaction is refused, and rows that hold no request are in nobody's way", async () => {
  const schema = temporarySchema();
  const pool = new pg.Pool({ connectionString: await serverUrl(), max: 2 });
  onTestFinished(() => pool.end());
  const world = await openWorld({ url: await serverUrl(), schema });
  const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
  for (const other of [pool, db, { query: 7 }]) {
    await refuses(world.joining(other).createRuns([newRun("wrun_1")], NOW), {
      message: /joins a client of `pg` \(not a pool\), a Kysely `Transaction`, or/,
      retryable: false,
    });
  }
  const warnings: string[] = [];
  const listener = ({ message }: Error) => warnings.push(message);
  process.on("warning", listener);
  onTestFinished(() => void process.off("warning", listener));
  await (await superuser()).query(
    `INSERT INTO ${schema}.outbox (transaction, request) VALUES (1, 'nonsense')`,
  );
  const client = await pool.connect();
  await client.query("BEGIN");
  await world.joining(client).createRuns([newRun("wrun_2")], NOW);
  await client.query("COMMIT");
  client.release();
  expect((await world.claim(claiming())).runs).toMatchObject([{ run: { runId: "wrun_2" } }]);
  await expect
    .poll(() => warnings.join())
    .toMatch(/rows of transaction 1 in the table .*outbox" cannot be carried out/);
});
