import { deleteOldRuns } from "@perdure/core/world";
import { CLAIM_ID, finish, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { migratePostgres, postgresWorld } from "../src/index.ts";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

test("a wrong password", async () => {
  const url = new URL(await serverUrl());
  url.password = "wrong";
  const error = await refuses(postgresWorld({ url: url.href }).open(), {
    message: /refuses the password\..*\(28P01\)/,
    retryable: false,
  });
  expect(String(error)).not.toContain("wrong");
});

test("no password, where the server asks for one", async () => {
  const admin = await superuser();
  const user = `user_${crypto.randomUUID().slice(0, 8)}`;
  await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD 'secret'`);
  onTestFinished(async () => void (await admin.query(`DROP ROLE ${user}`)));
  const url = new URL(await serverUrl());
  [url.username, url.password] = [user, ""];
  await refuses(postgresWorld({ url: url.href }).open(), { message: /password/, retryable: false });
});

test("a database that does not exist", async () => {
  const url = new URL(await serverUrl());
  url.pathname = "/nowhere";
  await refuses(postgresWorld({ url: url.href }).open(), {
    message: /has no such database\..*\(3D000\)/,
    retryable: false,
  });
});

test("a server that does not exist", async () => {
  await refuses(postgresWorld({ url: "postgres://127.0.0.1:1/none", openTimeout: 0 }).open(), {
    message: /at 127\.0\.0\.1:1\/none, schema perdure cannot be reached/,
    retryable: true,
  });
});

test("a socket that is not there, a file that the URL names and that is not there, and a pool that has ended", async () => {
  const socket = postgresWorld({ url: "postgres:///none?host=/no/such/folder", openTimeout: 0 });
  await refuses(socket.open(), { message: /cannot be reached\..*\(ENOENT\)/, retryable: true });
  const certificate = postgresWorld({ url: `${await serverUrl()}?sslcert=/no/such/file` });
  await refuses(certificate.open(), { message: /cannot use its URL: .*no.such.file/, retryable: false });
  const pool = new pg.Pool({ connectionString: await serverUrl() });
  await pool.end();
  await refuses(postgresWorld({ pool }).open(), { message: /the pool .* has ended/, retryable: false });
});

test("a user whose transactions are read-only", async () => {
  const url = new URL(await serverUrl());
  url.searchParams.set("options", "-c default_transaction_read_only=on");
  await refuses(postgresWorld({ url: url.href, schema: temporarySchema() }).open(), {
    message: /is read-only: .*default_transaction_read_only/,
    retryable: true,
  });
});

test("a database whose encoding cannot hold every character", async () => {
  const admin = await superuser();
  const name = `latin_${crypto.randomUUID().slice(0, 8)}`;
  await admin.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
  onTestFinished(async () => void (await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(await serverUrl());
  url.pathname = `/${name}`;
  await refuses(postgresWorld({ url: url.href }).open(), {
    message: /has the encoding LATIN1\. .*ENCODING 'UTF8'/,
    retryable: false,
  });
});

test("a user who may not create the schema, and one who may only read; then they may", async () => {
  const admin = await superuser();
  const schema = temporarySchema();
  const user = `user_${crypto.randomUUID().slice(0, 8)}`;
  await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD 'secret'`);
  onTestFinished(async () => void (await admin.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`)));
  const url = new URL(await serverUrl());
  [url.username, url.password] = [user, "secret"];
  const options = { url: url.href, schema };
  await refuses(postgresWorld(options).open(), {
    message: /does not permit this .*\(42501\)/,
    retryable: false,
  });

  await migratePostgres({ url: await serverUrl(), schema });
  await admin.query(
    `GRANT USAGE ON SCHEMA ${schema} TO ${user}; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${user}`,
  );
  const world = await openWorld({ ...options, migrate: false });
  const run = newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1_000 } });
  await refuses(world.createRuns([run], NOW), {
    message: /does not permit this .*\(42501\)/,
    retryable: true,
  });
  expect(await world.getRuns(["wrun_1"])).toEqual([null]);

  // What the README tells to grant.
  await admin.query(`
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${user}`);
  expect(await world.createRuns([run], NOW)).toMatchObject([{ outcome: "created" }]);
  expect(await world.commit([finish("wrun_1", 1, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
  expect(await deleteOldRuns(world, NOW + 1)).toBe(1);
});

test("calls before open and after close", async () => {
  const world = postgresWorld({ url: await serverUrl(), schema: temporarySchema() });
  await refuses(world.getRuns([]), { message: /is not open\. Call open\(\) first/, retryable: false });
  await world.open();
  await world.close();
  await world.close();
  await refuses(world.getRuns([]), { message: /is not open/, retryable: false });
  await world.open();
  expect(await world.getRuns([])).toEqual([]);
  await world.close();
});
