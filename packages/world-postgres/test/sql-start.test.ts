import { step, workflow } from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import { IdempotencyMismatchError } from "@perdure/core/errors";
import { configure, createWorker, type EncryptionOptions, shutdown } from "@perdure/core/runtime";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { postgresWorld } from "../src/index.ts";
import { serverUrl, superuser, temporarySchema } from "./store.ts";

/** Runs that are started by SQL: `select perdure.start(…)`. */

const echo = step("sql//echo", async (args: readonly unknown[]) => args);
const flow = workflow("sql//flow", async (...args: unknown[]) => await echo(args));

/** A process with a worker on a schema of its own, and a connection that knows nothing of it. */
async function setUp(encryption?: EncryptionOptions) {
  const schema = temporarySchema();
  const world = postgresWorld({ url: await serverUrl(), schema, maxConnections: 4 });
  configure({ world, worker: false, ...(encryption && { encryption }) });
  const worker = createWorker({ world, signals: [], logger: "silent", pollInterval: 200 });
  await worker.start();
  const client = new pg.Client(await serverUrl());
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await worker.close();
    await shutdown();
  });
  /** Evaluates calls with `perdure.start` in them. */
  const sql = async (text: string): Promise<Record<string, unknown>[]> =>
    (await client.query(text.replaceAll("perdure.", `${schema}.`))).rows;
  const begun = async (call: string): Promise<string> => (await sql(`SELECT ${call} AS id`))[0]?.id as string;
  return { schema, world, sql, begun };
}

test("with its commit, and not with its rollback; a workflow gets decoded arguments", async () => {
  const { sql, begun, schema } = await setUp();
  await sql("BEGIN");
  const dropped = await begun("perdure.start('sql//flow', '[1]')");
  await sql("ROLLBACK");
  await sql("BEGIN");
  const runId = await begun(`perdure.start('sql//flow', '["cus_1", {"cents": 4200, "tags": [null, "é𝄞"]}]')`);
  expect(runId).toMatch(/^wrun_[0-9A-HJKMNP-TV-Z]{26}$/);
  expect(await getRun(runId).exists).toBe(false);
  await sql("COMMIT");
  await expect.poll(() => getRun(runId).exists, { timeout: 20_000 }).toBe(true);
  expect(await getRun(runId).returnValue).toEqual(["cus_1", { cents: 4200, tags: [null, "é𝄞"] }]);
  expect(await getRun(dropped).exists).toBe(false);
  const { rows } = await (await superuser()).query(`SELECT count(*)::int AS rows FROM ${schema}.outbox`);
  expect(rows).toEqual([{ rows: 0 }]);
  // What is no array is the one argument, and nothing is none.
  const one = await begun(`perdure.start('sql//flow', '{"json": "args"}')`);
  const none = await begun("perdure.start('sql//flow')");
  await expect.poll(() => getRun(none).exists, { timeout: 20_000 }).toBe(true);
  expect(await getRun(one).returnValue).toEqual([{ json: "args" }]);
  expect(await getRun(none).returnValue).toEqual([]);
});

test("a trigger starts a run for each row, with attributes, at a time; a key has its ttl", async () => {
  const { sql, begun, schema } = await setUp();
  await sql(`CREATE TABLE ${schema}.orders (id int PRIMARY KEY, customer text)`);
  await sql(`CREATE FUNCTION ${schema}.on_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM perdure.start('sql//flow', jsonb_build_array(to_jsonb(NEW)), key => 'order:' || NEW.id,
        attributes => jsonb_build_object('customer', NEW.customer));
      RETURN NEW;
    END $$`);
  await sql(
    `CREATE TRIGGER ordered AFTER INSERT ON ${schema}.orders FOR EACH ROW EXECUTE FUNCTION ${schema}.on_order()`,
  );
  await sql(`INSERT INTO ${schema}.orders VALUES (1, 'cus_1'), (2, 'cus_2')`);
  const run = await start(flow, [{ id: 2, customer: "cus_2" }], { idempotencyKey: "order:2" });
  expect(await run.returnValue).toEqual([{ id: 2, customer: "cus_2" }]);
  expect(await begun("perdure.start('sql//flow', '[]', key => 'order:2')")).toBe(run.runId);

  const later = await begun("perdure.start('sql//flow', start_at => now() + interval '1 day')");
  await expect.poll(() => getRun(later).exists, { timeout: 20_000 }).toBe(true);
  const brief = await begun("perdure.start('sql//flow', key => 'for a day', ttl => '1 day')");
  await expect.poll(() => getRun(brief).exists, { timeout: 20_000 }).toBe(true);
  const [name] = await sql(`SELECT n.free_at - r.created_at AS ttl FROM ${schema}.names n
    JOIN ${schema}.runs r ON r.id = n.run WHERE r.run_id = '${brief}'`);
  expect(Math.abs(Number(name?.ttl) - 86_400_000)).toBeLessThan(10_000);
  const [row] = await sql(`SELECT due_at - created_at AS wait FROM ${schema}.runs WHERE run_id = '${later}'`);
  expect(Math.abs(Number(row?.wait) - 86_400_000)).toBeLessThan(10_000);
});

test("a repeated key gives the run that has it, of the same transaction and of others, and to programs as well", async () => {
  const { sql, begun } = await setUp();
  const call = "perdure.start('sql//flow', '[1]', key => 'k𝄞')";
  await sql("BEGIN");
  const runId = await begun(call);
  expect(await begun(call)).toBe(runId);
  await sql("COMMIT");
  expect(await begun(call)).toBe(runId);
  await expect.poll(() => getRun(runId).exists, { timeout: 20_000 }).toBe(true);
  expect(await begun(call)).toBe(runId);
  expect((await start(flow, [1], { idempotencyKey: "k𝄞" })).runId).toBe(runId);
  await expect(start(flow, [2], { idempotencyKey: "k𝄞" })).rejects.toBeInstanceOf(IdempotencyMismatchError);
});

test("of two open transactions with one key the second waits for the end of the first", async () => {
  const { schema, sql, begun } = await setUp();
  const second = new pg.Client(await serverUrl());
  await second.connect();
  onTestFinished(() => second.end());
  for (const end of ["COMMIT", "ROLLBACK"]) {
    const call = `perdure.start('sql//flow', '[1]', key => 'of two, ${end}')`;
    await sql("BEGIN");
    const first = await begun(call);
    const asked = second.query(`SELECT ${call.replace("perdure.", `${schema}.`)} AS id`);
    const waiting = "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    await expect.poll(async () => (await (await superuser()).query(waiting)).rows[0].n > 0).toBe(true);
    await sql(end);
    const got = (await asked).rows[0].id as string;
    expect(got === first).toBe(end === "COMMIT");
    await expect.poll(() => getRun(got).exists, { timeout: 20_000 }).toBe(true);
    expect(await getRun(got).returnValue).toEqual([1]);
  }
});

test("what cannot be meant is an error of the statement", async () => {
  const { sql } = await setUp();
  const refused = (call: string) => sql(`SELECT perdure.start(${call})`);
  for (const [call, message] of [
    ["''", /workflow must be the id of a workflow/],
    ["NULL", /workflow must be the id of a workflow/],
    ["'sql//flow', NULL", /args must not be NULL/],
    ["'sql//flow', '[1'", /invalid input syntax for type json/],
    ["'sql//flow', key => ''", /key must have 1 to 255 characters/],
    ["'sql//flow', key => repeat('k', 256)", /key must have 1 to 255 characters/],
    ["'sql//flow', attributes => '[]'", /attributes must be an object of texts/],
    [`'sql//flow', attributes => '{"a": 1}'`, /attributes are at most 64 texts/],
    ["'sql//flow', key => 'k', ttl => '0 seconds'", /ttl must be longer than nothing/],
    [`'sql//flow', attributes => '{"$parent": "x"}'`, /attributes are at most 64 texts/],
  ] as const) {
    await expect(refused(call), call).rejects.toThrow(message);
  }
  await expect(refused("'sql//flow', NULL")).rejects.toMatchObject({ code: "22023" });
});

test("the values are encrypted when the run is made", async () => {
  const { begun, world } = await setUp({ key: new Uint8Array(32).fill(7) });
  const runId = await begun(`perdure.start('sql//flow', '["planted-secret"]', key => 'k')`);
  await expect.poll(() => getRun(runId).exists, { timeout: 20_000 }).toBe(true);
  expect(await getRun(runId).returnValue).toEqual(["planted-secret"]);
  const [created] = await world.listEvents(runId, 0, 1);
  expect(Buffer.from(created?.data ?? []).toString("latin1")).toMatch(/^key1/);
  expect((await start(flow, ["planted-secret"], { idempotencyKey: "k" })).runId).toBe(runId);
});
