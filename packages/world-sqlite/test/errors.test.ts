import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CLAIM_ID, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { expect, test } from "vitest";
import { sqliteWorld } from "../src/index.ts";
import { openWorld, temporaryDirectory, temporaryFile } from "./store.ts";

test("a path in a missing directory: the directory is created", async () => {
  const path = join(temporaryDirectory(), "a", "b", "perdure.db");
  await openWorld({ path });
  expect(statSync(path).isFile()).toBe(true);
});

test("a directory that cannot be created", async () => {
  const file = temporaryFile();
  writeFileSync(file, "");
  await refuses(sqliteWorld({ path: join(file, "perdure.db") }).open(), {
    message: /The directory .*perdure\.db for the SQLite World cannot be created/,
    retryable: false,
  });
});

test("a path that is a directory", async () => {
  const path = temporaryFile();
  mkdirSync(path);
  await refuses(sqliteWorld({ path }).open(), {
    message: /perdure\.db cannot be opened\. .*\(SQLITE_CANTOPEN\)/,
    retryable: false,
  });
});

test("a file that is no database is refused and stays as it is", async () => {
  const path = temporaryFile();
  const text = "not a database at all\n".repeat(100);
  writeFileSync(path, text);
  await refuses(sqliteWorld({ path }).open(), {
    message: /perdure\.db is not an SQLite database\. .*\(SQLITE_NOTADB\)/,
    retryable: false,
  });
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a damaged file", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  await world.createRuns([newRun("wrun_1")], NOW);
  await world.close();
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0xff, 4096));
  await refuses(sqliteWorld({ path }).open(), {
    message: /perdure\.db is damaged\. .*\(SQLITE_CORRUPT\)/,
    retryable: false,
  });
});

test("a database that this process may only read is refused at open, also while another writes", async () => {
  const path = temporaryFile();
  await (await openWorld({ path })).close();
  const writer = new DatabaseSync(path);
  const readOnly = new DatabaseSync(path, { readOnly: true });
  const queryOnly = new DatabaseSync(path);
  queryOnly.exec("PRAGMA query_only = true");
  writer.exec("BEGIN IMMEDIATE");
  for (const database of [readOnly, queryOnly]) {
    await refuses(sqliteWorld({ database }).open(), {
      message: /perdure\.db cannot be written\. .*\(SQLITE_READONLY\)/,
      retryable: false,
    });
  }
  await openWorld({ path });
  for (const database of [readOnly, queryOnly, writer]) database.close();
});

test("a value beyond SQLite's own limit is refused for good", async () => {
  const database = new DatabaseSync(":memory:");
  const world = await openWorld({ database });
  const data = new Uint8Array(1_000_000_001);
  await refuses(world.createRuns([newRun("wrun_1", { events: [{ ...event("run_created"), data }] })], NOW), {
    message: /cannot store a value of this size\. .*\(SQLITE_TOOBIG\)/,
    retryable: false,
  });
  expect(await world.getRuns(["wrun_1"])).toEqual([null]);
});

test("tables of others, or of another layout, under our names", async () => {
  for (const table of ["perdure_runs (id)", "perdure_schema (version)", "perdure_schema (wrong)"]) {
    const database = new DatabaseSync(temporaryFile());
    database.exec(`CREATE TABLE ${table}`);
    if (table.includes("version")) database.exec("INSERT INTO perdure_schema VALUES (1)");
    await refuses(sqliteWorld({ database }).open(), {
      message: /perdure\.db refused a call: (table perdure_runs already exists|no such (table|column): )/,
      retryable: false,
    });
    database.close();
  }
});

test("what nobody has foreseen is not taken for passing", async () => {
  const database = new DatabaseSync(temporaryFile());
  const world = await openWorld({ database });
  database.exec("DROP TABLE perdure_mail");
  const wake = { messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null } as const;
  await refuses(world.deliver([wake], NOW), {
    message: /perdure\.db refused a call: no such table: (main\.)?perdure_mail\./,
    retryable: false,
  });
  const odd = JSON.parse('{"odd": true}');
  await refuses(world.createRuns([newRun("wrun_1", { dueAt: odd })], NOW), {
    message: /perdure\.db refused a call/,
    retryable: false,
  });
});

test("a full disk: the batch is not written, and is once there is room", async () => {
  const database = new DatabaseSync(temporaryFile());
  const world = await openWorld({ database });
  await world.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })], NOW);
  const pages = Number(database.prepare("PRAGMA page_count").get()?.page_count);
  database.exec(`PRAGMA max_page_count = ${pages + 1}`);

  const data = new Uint8Array(100_000);
  const commit = hold("wrun_1", 1, [{ type: "step_completed", at: NOW, id: "s", name: null, data }]);
  await refuses(world.commit([commit], NOW), {
    message: /perdure\.db cannot grow: the disk is full\. .*\(SQLITE_FULL\)/,
    retryable: true,
  });
  expect(await world.listEvents("wrun_1", 1, 10)).toEqual([]);

  database.exec(`PRAGMA max_page_count = ${pages + 1000}`);
  expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed" }]);
  expect(await world.listEvents("wrun_1", 1, 10)).toHaveLength(1);
  await world.close();
  database.close();
});

test("a lock that others keep: waits without blocking, then says so", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const hasty = await openWorld({ path, busyTimeout: 20 });
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");

  const waiting = world.createRuns([newRun("wrun_1")], NOW);
  await refuses(hasty.createRuns([newRun("wrun_2")], NOW), {
    message: /perdure\.db is locked: .*\(SQLITE_BUSY\)/,
    retryable: true,
  });
  other.exec("ROLLBACK");
  expect(await waiting).toMatchObject([{ outcome: "created" }]);
  expect(await hasty.createRuns([newRun("wrun_2")], NOW)).toMatchObject([{ outcome: "created" }]);
  other.close();
});

test("calls before open and after close", async () => {
  const world = sqliteWorld({ path: temporaryFile() });
  await refuses(world.getRuns([]), { message: /is not open\. Call open\(\) first/, retryable: false });
  await world.open();
  await world.close();
  await world.close();
  await refuses(world.getRuns([]), { message: /is not open/, retryable: false });
  await world.open();
  expect(await world.getRuns([])).toEqual([]);
  await world.close();
});
