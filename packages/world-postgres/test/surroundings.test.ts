import type { Socket } from "node:net";
import { deleteOldRuns } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, finish, firstClaim, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type PostgresWorldOptions, postgresWorld } from "../src/index.ts";
import { startServer } from "./proxy.ts";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

/** What programs, databases and servers are set to that change what this World reads, writes or finds. */

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 1_000 };

// By type: bool, bytea, int8, int2, int4, text, timestamptz, int4[].
const TYPES = [16, 17, 20, 21, 23, 25, 1184, 1007];
const strange = (text: string) => ({ strange: text });

function poolWithParsers(url: string): pg.Pool {
  const getTypeParser = (type: number) =>
    (TYPES.includes(type) ? strange : pg.types.getTypeParser(type)) as never;
  const pool = new pg.Pool({ connectionString: url, types: { getTypeParser } });
  onTestFinished(() => pool.end());
  return pool;
}

/** Every verb, and what is read of it. */
async function works(options: PostgresWorldOptions): Promise<void> {
  const world = await openWorld({ schema: temporarySchema(), ...options });
  await world.createRuns([newRun("wrun_1"), newRun("wrun_2", { lease })], NOW);
  const { runs } = await world.claim(claiming());
  expect(runs).toMatchObject([{ run: { epoch: 1, bytes: 13 }, events: [{ seq: 1, at: NOW }], damage: null }]);
  const commits = ["wrun_1", "wrun_2"].map((runId) => hold(runId, 1, [event("step_created", "s")]));
  expect(await world.commit(commits, NOW)).toMatchObject([
    { outcome: "committed" },
    { outcome: "committed" },
  ]);
  const message = { messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null } as const;
  await world.deliver([message], NOW);
  expect(await world.commit([{ ...finish("wrun_1", 2, NOW), mailDone: 1 }], NOW)).toMatchObject([
    { outcome: "committed", mailSeq: 1 },
  ]);
  expect(await world.getRuns(["wrun_1", "wrun_2"])).toMatchObject([
    { status: "completed", completedAt: NOW },
    { status: "pending", seq: 2 },
  ]);
  expect((await world.listEvents("wrun_1", 0, 10)).map(({ data }) => String(data))).toEqual([
    '"run_created"',
    '"step_created"',
    '"run_completed"',
  ]);
}

test("parsers that the program has set for every pool", async () => {
  const before = TYPES.map((type) => pg.types.getTypeParser(type));
  onTestFinished(() => {
    TYPES.forEach(
      (type, index) => void pg.types.setTypeParser(type, before[index] as (text: string) => string),
    );
  });
  for (const type of TYPES) pg.types.setTypeParser(type, strange as never);
  await works({ url: await serverUrl() });
});

test("parsers of a pool that the user passes in", async () => {
  await works({ pool: poolWithParsers(await serverUrl()) });
});

test("parsers of a Kysely instance are refused by name", async () => {
  const pool = poolWithParsers(await serverUrl());
  const kysely = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
  await refuses(postgresWorld({ kysely, schema: temporarySchema() }).open(), {
    message: /values of type int4 do not arrive as they are\. Remove the parser .*setTypeParser\(23/,
    retryable: false,
  });
});

test("a client that asks for binary values", async () => {
  const pool = new pg.Pool({ connectionString: await serverUrl(), binary: true } as pg.PoolConfig);
  onTestFinished(() => pool.end());
  await refuses(postgresWorld({ pool, schema: temporarySchema() }).open(), {
    message: /the pool's option `binary`/,
    retryable: false,
  });
});

test.each([
  ["bytea_output", "escape"],
  ["datestyle", "German"],
  ["intervalstyle", "sql_standard"],
  ["standard_conforming_strings", "off"],
  ["statement_timeout", "300"],
  ["lock_timeout", "1"],
])("%s is %s for this user", async (name, value) => {
  const url = `${await serverUrl()}?options=${encodeURIComponent(`-c ${name}=${value}`)}`;
  await works({ url });
});

test("array_nulls is off", async () => {
  const url = `${await serverUrl()}?options=${encodeURIComponent("-c array_nulls=off")}`;
  await refuses(postgresWorld({ url, schema: temporarySchema() }).open(), {
    message: /array_nulls is off/,
    retryable: false,
  });
});

test.each([
  ["versions", "id int, name text"],
  ["versions", "version text, applied timestamptz"],
  ["runs", "id int"],
  ["events", "run bigint, seq int"],
  ["mail", "address text"],
  ["names", "id int"],
  ["records", "key text, value text"],
])("a foreign table %s (%s)", async (name, columns) => {
  const schema = temporarySchema();
  const admin = await superuser();
  await admin.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${name} (${columns})`);
  await refuses(postgresWorld({ url: await serverUrl(), schema }).open(), {
    message: new RegExp(
      `"${name}" is there already and is not Perdure's\\. .*\`schema\`, or a \`namespace\``,
    ),
    retryable: false,
  });
  const world = await openWorld({ url: await serverUrl(), schema, namespace: "mine" });
  expect(await world.getRuns(["wrun_1"])).toEqual([null]);
});

test("a table of versions that counts another program's", async () => {
  const schema = temporarySchema();
  await (await superuser()).query(
    `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.versions AS SELECT 42 AS version`,
  );
  await refuses(postgresWorld({ url: await serverUrl(), schema }).open(), {
    message: /"versions" is there already and is not Perdure's/,
    retryable: false,
  });
});

test("a foreign sequence, view or function", async () => {
  for (const [what, name] of [
    ["SEQUENCE", "run_ids"],
    ["VIEW", "runs AS SELECT 1 AS id"],
    ["FUNCTION", "claim_1() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
  ] as const) {
    const schema = temporarySchema();
    await (await superuser()).query(`CREATE SCHEMA ${schema}; CREATE ${what} ${schema}.${name}`);
    const opened = postgresWorld({ url: await serverUrl(), schema });
    // A function with other parameters is another function.
    if (what === "FUNCTION") {
      await opened.open();
      await opened.close();
    } else await refuses(opened.open(), { message: /there already/, retryable: false });
  }
});

test("URLs that would be taken for something else", () => {
  const urls: readonly (readonly [string, RegExp])[] = [
    ["localhost/app", /has to begin with postgres:\/\//],
    ["localhost:5432/app", /has to begin with postgres:\/\//],
    ["user@localhost/app", /has to begin with postgres:\/\//],
    ["mysql://localhost/app", /has to begin with postgres:\/\//],
    ["", /has to begin with postgres:\/\//],
    ["postgres://localhost", /names no database/],
    ["postgres://user@localhost:5432/", /names no database/],
    ["postgres://user@localhost:5432?sslmode=require", /names no database/],
    ["postgres://user:a/b@localhost:x/app", /cannot be read: .* are written as/],
  ];
  for (const [url, message] of urls) expect(() => postgresWorld({ url })).toThrow(message);
});

test("a server without TLS, and one that is no Postgres", async () => {
  const url = new URL(await serverUrl());
  url.searchParams.set("sslmode", "verify-full");
  await refuses(postgresWorld({ url: url.href }).open(), {
    message: /offers no TLS, and the URL asks for it/,
    retryable: false,
  });
  const foreign: ((socket: Socket) => void)[] = [
    (socket) => socket.write("220 mail.example.org ESMTP\r\n"),
    (socket) => socket.write("SSH-2.0-OpenSSH_9.6\r\n"),
    (socket) => socket.once("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    (socket) => socket.once("data", () => socket.write("-ERR unknown command\r\n")),
    (socket) => socket.once("data", () => socket.write(Buffer.alloc(100, 7))),
    (socket) => socket.pipe(socket),
  ];
  for (const speak of foreign) {
    const port = await startServer(speak);
    await refuses(postgresWorld({ url: `postgres://u@127.0.0.1:${port}/app` }).open(), {
      message: /does not speak Postgres' protocol/,
      retryable: false,
    });
  }
  const port = await startServer((socket) => socket.end());
  await refuses(postgresWorld({ url: `postgres://u@127.0.0.1:${port}/app`, openTimeout: 100 }).open(), {
    message: /closes the connection without a word\. Check host and port/,
    retryable: true,
  });
});

test("lengths and times that are not whole milliseconds", async () => {
  const world = await openWorld({ url: await serverUrl(), schema: temporarySchema() });
  const runs = [
    newRun("wrun_1", { dueAt: NOW - 0.5, events: [{ ...event("run_created"), at: NOW + 0.25 }] }),
    newRun("wrun_2", { lease: { ...lease, ttl: 333.3 } }),
  ];
  await world.createRuns(runs, NOW + 0.1);
  const { runs: claimed } = await world.claim(claiming({ ttl: 100.5, now: NOW + 0.1 }));
  expect(claimed.map(({ run }) => [run.runId, run.dueAt])).toEqual([["wrun_1", NOW + 102]]);
  const leases = [{ runId: "wrun_1", epoch: 1, claimId: CLAIM_ID }];
  expect(await world.renew({ leases, ttl: 333.3, now: NOW + 0.5 })).toMatchObject([{ outcome: "renewed" }]);
  const park = { type: "park", dueAt: NOW + 1.5 } as const;
  const commits = [
    { ...hold("wrun_1", 1, [event("step_created", "s")]), lease: { type: "hold", ttl: 1_000.1 } as const },
    { ...hold("wrun_2", 1, []), lease: park, run: { startedAt: NOW + 0.5 } },
  ];
  expect(await world.commit(commits, NOW + 0.7)).toMatchObject([
    { outcome: "committed" },
    { outcome: "committed" },
  ]);
  expect(await deleteOldRuns(world, NOW + 0.3)).toBe(0);
});

test("by the server's clock the times of a start are distances from the caller's; what a worker commits is taken as it is", async () => {
  const world = await openWorld({ url: await serverUrl(), schema: temporarySchema(), clock: "store" });
  const hour = 3_600_000;
  for (const wrong of [-hour, hour]) {
    const now = Date.now() + wrong;
    const [soon, later] = [`wrun_soon${wrong}`, `wrun_later${wrong}`];
    const name = firstClaim(`kept${wrong}`, { freeAt: now + 600_000 });
    const ended = newRun(`wrun_ended${wrong}`, { lease, names: [name] });
    const starts = [newRun(soon, { dueAt: now }), newRun(later, { dueAt: now + 600_000 }), ended];
    await world.createRuns(starts, now);
    await world.commit([finish(ended.runId, 1, Date.now())], now);
    expect(await world.getNames([name.name], now)).toMatchObject([{ runId: ended.runId }]);
    const claimed = await world.claim(claiming({ now, claimId: `claim${wrong}` }));
    expect(claimed.runs.map(({ run }) => run.runId)).toEqual([soon]);
    const { now: store, nextDueAt } = claimed;
    expect(Math.abs(store - Date.now())).toBeLessThan(60_000);
    expect(Math.abs((nextDueAt ?? 0) - store - 600_000)).toBeLessThan(60_000);
    const commit = { ...hold(soon, 1, [event("wait_created", "w")]), claimId: `claim${wrong}` };
    await world.commit([{ ...commit, lease: { type: "park", dueAt: store + 300_000 } }], now);
    const [row] = await world.getRuns([soon]);
    expect(row?.dueAt).toBe(store + 300_000);
    await world.commit([{ ...commit, seq: 2, events: [] }], now);
    const admin = await superuser();
    const schema = world.describe().schema;
    const { rows } = await admin.query(`SELECT free_from FROM ${schema}.names`);
    expect(Math.abs(Number(rows[0].free_from) - store - 600_000)).toBeLessThan(60_000);
    await deleteOldRuns(world, now);
    await admin.query(`DELETE FROM ${schema}.runs; DELETE FROM ${schema}.names`);
  }
});
