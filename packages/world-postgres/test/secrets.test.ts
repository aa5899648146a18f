import { inspect } from "node:util";
import { CLAIM_ID, event, finish, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { type PostgresWorldOptions, postgresWorld } from "../src/index.ts";
import { startProxy } from "./proxy.ts";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

const SECRET = "hunter2-planted";
const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };

/** A logger, and everything that was printed and thrown. */
function ears() {
  const printed: string[] = [];
  const hear = (...values: unknown[]): void => void printed.push(show(values));
  for (const method of ["log", "info", "warn", "error"] as const) {
    const spy = vi.spyOn(console, method).mockImplementation(hear);
    onTestFinished(() => spy.mockRestore());
  }
  return { printed, logger: { debug: hear, info: hear, warn: hear, error: hear } };
}

/** As a person, a console and a log that writes JSON show it. */
function show(value: unknown): string {
  return [
    inspect(value, { depth: 20, showHidden: false }),
    JSON.stringify(value),
    String((value as Error)?.stack),
  ].join("\n");
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => {
      throw new Error("this call was to fail");
    },
    (error: unknown) => error,
  );
}

test("keys, tokens and payloads are in no error, however a call fails", async () => {
  const schema = temporarySchema();
  const { printed, logger } = ears();
  const proxy = await startProxy(await serverUrl());
  const world = await openWorld({ url: proxy.url, schema, logger, callTimeout: 500 });
  const secretEvent = { ...taking("h", SECRET), data: Buffer.from(SECRET) };
  const start = newRun("wrun_1", {
    lease,
    events: [{ ...event("run_created"), data: Buffer.from(SECRET) }],
    names: [firstClaim(`key ${SECRET}`, { fingerprint: SECRET, data: Buffer.from(SECRET) })],
  });
  await world.createRuns([start], NOW);
  const token = {
    messageId: SECRET,
    to: { name: SECRET },
    type: "hook_received",
    at: NOW,
    data: Buffer.from(SECRET),
  } as const;
  const writeRecord = () => {
    const key = `${SECRET}${Math.random()}`;
    return world.writeRecords(
      [{ key, writeId: key, ifVersion: null, value: Buffer.from(SECRET), ttl: null }],
      NOW,
    );
  };
  const calls: readonly (() => Promise<unknown>)[] = [
    () => world.createRuns([{ ...start, runId: `wrun_${Math.random()}` }], NOW),
    () => world.commit([hold("wrun_1", 1, [secretEvent])], NOW),
    () => world.deliver([{ ...token, messageId: `${SECRET}${Math.random()}` }], NOW),
    () => world.getNames([SECRET], NOW),
    () => world.listNames({ prefix: SECRET, limit: 10, now: NOW }),
    writeRecord,
    () => world.listRecords({ prefix: SECRET, limit: 10, now: NOW }),
  ];
  const admin = await superuser();
  const shown: string[] = [];

  // What the server says of a statement, with its values in message, detail and context.
  const codes = [
    "data_exception",
    "unique_violation",
    "raise_exception",
    "check_violation",
    "internal_error",
  ];
  for (const code of codes) {
    await admin.query(`
      CREATE OR REPLACE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'refused' USING ERRCODE = '${code}', DETAIL = 'Key (${SECRET})', HINT = '${SECRET}';
      END $$`);
    for (const table of ["runs", "events", "mail", "names", "records"]) {
      await admin.query(`CREATE OR REPLACE TRIGGER refuse BEFORE INSERT OR UPDATE ON ${schema}.${table}
        FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse()`);
    }
    for (const call of [...calls.slice(0, 2), writeRecord]) shown.push(show(await failure(call())));
  }
  for (const table of ["runs", "events", "mail", "names", "records"]) {
    await admin.query(`DROP TRIGGER refuse ON ${schema}.${table}`);
  }
  // A row that does not fit: the server tells all of it.
  await admin.query(`ALTER TABLE ${schema}.events ADD CONSTRAINT small CHECK (length(data) < 3) NOT VALID`);
  shown.push(show(await failure(calls[1]?.() ?? Promise.resolve())));
  await admin.query(`ALTER TABLE ${schema}.events DROP CONSTRAINT small`);

  for (const call of calls) {
    await call();
    proxy.freeze();
    shown.push(show(await failure(call())));
  }
  await admin.query(`DROP TABLE ${schema}.runs CASCADE`);
  for (const call of calls.slice(0, 3)) shown.push(show(await failure(call())));
  expect(shown.length).toBeGreaterThan(15);
  for (const text of [...shown, ...printed, show(world.describe())]) expect(text).not.toContain(SECRET);
}, 60_000);

test("the password is in no error, in no log and in no description", async () => {
  const { printed, logger } = ears();
  const shown: string[] = [];
  const url = new URL(await serverUrl());
  const withPassword = (change: (url: URL) => void): string => {
    const changed = new URL(url);
    changed.password = SECRET;
    change(changed);
    return changed.href;
  };
  const urls = [
    withPassword(() => {}),
    withPassword((changed) => {
      changed.port = "1";
    }),
    withPassword((changed) => {
      changed.pathname = "/nowhere";
    }),
    withPassword((changed) => {
      changed.searchParams.set("sslmode", "require");
    }),
  ];
  for (const each of urls) {
    shown.push(show(await failure(postgresWorld({ url: each, logger, openTimeout: 0 }).open())));
  }
  const refused: readonly PostgresWorldOptions[] = [
    { url: `user:${SECRET}@localhost/app` },
    { url: `postgres://user:${SECRET}/x@localhost:port/app` },
    { url: `postgres://user:${SECRET}@localhost` },
  ];
  for (const options of refused) {
    expect(() => postgresWorld(options)).toThrow(/^url /);
    try {
      postgresWorld(options);
    } catch (error) {
      shown.push(show(error));
    }
  }

  const admin = await superuser();
  const schema = temporarySchema();
  const user = `user_${crypto.randomUUID().slice(0, 8)}`;
  await admin.query(
    `CREATE ROLE ${user} LOGIN PASSWORD '${SECRET}'; CREATE SCHEMA ${schema} AUTHORIZATION ${user}`,
  );
  onTestFinished(async () => void (await admin.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`)));
  [url.username, url.password] = [user, SECRET];
  url.searchParams.set("application_name", schema);
  const pool = new pg.Pool({ connectionString: url.href });
  pool.on("error", () => {});
  onTestFinished(() => pool.end());
  for (const options of [{ url: url.href }, { pool }]) {
    const world = await openWorld({ ...options, schema, logger });
    world.subscribe(() => {});
    await world.createRuns([newRun("wrun_1", { lease })], NOW);
    shown.push(show(world), show(world.capabilities), show(world.describe()));
    const kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    await admin.query(kill, [schema]);
    await admin.query(`ALTER ROLE ${user} NOLOGIN`);
    await admin.query(kill, [schema]);
    shown.push(show(await failure(world.commit([finish("wrun_1", 1, NOW)], NOW))));
    await admin.query(`ALTER ROLE ${user} LOGIN`);
    await world.close();
  }
  for (const text of [...shown, ...printed]) expect(text).not.toContain(SECRET);
}, 60_000);
