import type { Hint } from "@perdure/core/world";
import { startPostgres } from "@perdure/testbed/postgres";
import { CLAIM_ID, event, finish, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { postgresWorld } from "../src/index.ts";
import { chargeOnce } from "./charges.ts";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

test("the server crashes under load and comes back: every step once, nothing lost", async () => {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  const world = await openWorld({ url: server.url, clock: "store", maxConnections: 8 });
  expect(world.capabilities.durability).toBe("machine");
  expect(world.describe()).toMatchObject({ fsync: "on", synchronousCommit: "on" });

  let restarted: Promise<void> | undefined;
  await chargeOnce(world, { runs: 40, steps: 6 }, (done) => {
    if (done >= 80) restarted ??= server.restart("immediate");
  });
  await restarted;
  expect(restarted).toBeDefined();
}, 120_000);

test("connections killed in the middle of commits: each commit is in once", async () => {
  const schema = temporarySchema();
  const url = `${await serverUrl()}?application_name=${schema}`;
  const world = await openWorld({ url, schema, clock: "store" });
  const admin = await superuser();
  const kills: Promise<number>[] = [];
  // Whichever has been executing something for the longest, which is a commit most of the time.
  const kill = async (): Promise<number> => {
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = $1 ORDER BY state = 'active' DESC, query_start LIMIT 1`,
      [schema],
    );
    return rowCount ?? 0;
  };
  await chargeOnce(world, { runs: 24, steps: 12 }, (done) => {
    if (done % 10 === 0) kills.push(kill());
  });
  const killed = (await Promise.all(kills)).reduce((sum, one) => sum + one, 0);
  expect(killed).toBeGreaterThan(10);
}, 120_000);

test.each(["repeatable read", "serializable"])(
  "a role whose transactions are %s",
  async (isolation) => {
    const schema = temporarySchema();
    const options = encodeURIComponent(`-c default_transaction_isolation=${isolation.replace(" ", "\\ ")}`);
    const url = `${await serverUrl()}?options=${options}`;
    const world = await openWorld({ url, schema, clock: "store" });
    expect(world.describe()).toMatchObject({ isolation });
    await chargeOnce(world, { runs: 20, steps: 5 });

    // Many senders at once, and a run that parks between them: the calls fail for each other's sake and are repeated.
    const other = await openWorld({ url, schema });
    await other.createRuns(
      [newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 30_000 } })],
      NOW,
    );
    const sendings = Array.from({ length: 30 }, (_, index) => {
      const message = {
        messageId: `m${index}`,
        to: { runId: "wrun_1" },
        type: "wake",
        at: NOW,
        data: null,
      } as const;
      return (index % 2 ? world : other).deliver([message], NOW);
    });
    await Promise.all(sendings);
    expect(await other.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: 30 }]);
    const mail = await other.listMail([{ runId: "wrun_1", after: 0 }]);
    expect(mail[0]?.map(({ mailSeq }) => mailSeq)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
  },
  60_000,
);

test("a deadlock with a stranger's transaction is tried again", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  const world = await openWorld({ url, schema });
  const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };
  await world.createRuns([newRun("wrun_1", { lease }), newRun("wrun_2", { lease })], NOW);

  const stranger = new pg.Client(url);
  await stranger.connect();
  onTestFinished(() => stranger.end());
  const lock = (runId: string) =>
    stranger.query(`SELECT FROM ${schema}.runs WHERE run_id = '${runId}' FOR UPDATE`);
  // The server ends the one of the two that notices first: let that be the World's.
  await stranger.query("BEGIN; SET LOCAL deadlock_timeout = '60s'");
  await lock("wrun_2");
  const commits = world.commit(
    ["wrun_1", "wrun_2"].map((runId) => hold(runId, 1, [event("step_completed", "s")])),
    NOW,
  );
  await waitsForLock(schema);
  await lock("wrun_1");
  await stranger.query("COMMIT");
  expect(await commits).toMatchObject([{ outcome: "committed" }, { outcome: "committed" }]);
  expect(await world.listEvents("wrun_2", 1, 10)).toHaveLength(1);
});

test("a full disk: the batch is not written, and is once there is room", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  await world.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })], NOW);
  const admin = await superuser();
  await admin.query(`
    CREATE FUNCTION ${schema}.full_disk() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE UPDATE ON ${schema}.runs EXECUTE FUNCTION ${schema}.full_disk()`);
  const commit = hold("wrun_1", 1, [event("step_completed", "s")]);
  await refuses(world.commit([commit], NOW), {
    message: /its disk is full\. Nothing was written\..*\(53100\)/,
    retryable: true,
  });
  expect(await world.listEvents("wrun_1", 1, 10)).toEqual([]);
  await admin.query(`DROP TRIGGER full_disk ON ${schema}.runs`);
  expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed" }]);
});

test("user code that keeps the whole pool busy does not keep leases from being renewed", async () => {
  const schema = temporarySchema();
  const pool = new pg.Pool({ connectionString: await serverUrl(), max: 2 });
  onTestFinished(() => pool.end());
  const world = await openWorld({ pool, schema });
  await world.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1_000 } })], NOW);
  const busy = [await pool.connect(), await pool.connect()];
  const waiting = world.commit([finish("wrun_1", 1, NOW)], NOW + 600);
  expect(
    await world.renew({
      leases: [{ runId: "wrun_1", epoch: 1, claimId: CLAIM_ID }],
      ttl: 1_000,
      now: NOW + 500,
    }),
  ).toEqual([{ outcome: "renewed", mailSeq: 0 }]);
  expect((await superuserRow(schema)).due_at).toBe(String(NOW + 1_500));
  for (const client of busy) client.release();
  expect(await waiting).toMatchObject([{ outcome: "committed" }]);
});

test("the listener's connection is lost and comes back", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  const warn = vi.fn();
  const logger = { debug() {}, info() {}, warn, error() {} };
  const hearing = await openWorld({ url: `${url}?application_name=${schema}`, schema, logger });
  const telling = await openWorld({ url, schema });
  const hints: Hint[] = [];
  hearing.subscribe((hint) => hints.push(hint));
  const admin = await superuser();
  const listening = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'";
  const listener = await vi.waitUntil(async () => (await admin.query(listening, [schema])).rows[0], 10_000);

  await telling.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1_000 } })], NOW);
  await telling.commit([finish("wrun_1", 1, NOW)], NOW);
  await vi.waitUntil(() => hints.some((hint) => hint.type === "finished" && hint.runId === "wrun_1"), 10_000);

  await admin.query("SELECT pg_terminate_backend($1)", [listener.pid]);
  await vi.waitUntil(() => warn.mock.calls.length > 0, 10_000);
  await vi.waitUntil(async () => (await admin.query(listening, [schema])).rows[0], 10_000);
  // What was missed meanwhile is told as a whole.
  await vi.waitUntil(() => hints.at(-1)?.type === "changed", 10_000);
  await telling.deliver(
    [{ messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null }],
    NOW,
  );
  await telling.createRuns([newRun("wrun_2")], NOW);
  await vi.waitUntil(() => hints.some(({ type }) => type === "due"), 10_000);
}, 60_000);

test("open waits for a server that starts, and says so when none does", async () => {
  const server = await startPostgres({ fsync: false });
  onTestFinished(() => server.stop());
  await server.crash();
  const impatient = postgresWorld({ url: server.url, openTimeout: 0 });
  await refuses(impatient.open(), { message: /cannot be reached/, retryable: true });
  const world = postgresWorld({ url: server.url, openTimeout: 60_000 });
  const opening = world.open();
  await server.restart();
  await opening;
  expect(await world.getRuns([])).toEqual([]);
  await world.close();
}, 90_000);

async function superuserRow(schema: string): Promise<{ due_at: string }> {
  return (await (await superuser()).query(`SELECT due_at FROM ${schema}.runs`)).rows[0];
}

/** Waits until a statement on the schema waits for a lock. */
async function waitsForLock(schema: string): Promise<void> {
  const admin = await superuser();
  await vi.waitUntil(async () => {
    const { rows } = await admin.query(
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'",
      [schema],
    );
    return rows.length > 0;
  }, 10_000);
}
