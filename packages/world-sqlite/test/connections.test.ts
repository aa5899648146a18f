import { DatabaseSync } from "node:sqlite";
import { claiming, event, firstClaim, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { expect, test } from "vitest";
import { sqliteWorld } from "../src/index.ts";
import { openWorld, temporaryFile } from "./store.ts";

/** Connections that a program passes in. */

// Node's types do not know all of them yet.
const SHAPES: readonly object[] = [
  { readBigInts: true },
  { returnArrays: true },
  { readBigInts: true, returnArrays: true },
  { allowBareNamedParameters: false },
  { enableForeignKeyConstraints: false, enableDoubleQuotedStringLiterals: true },
];

test.for(SHAPES)("options that shape what a connection answers do not matter: %o", async (options) => {
  const world = await openWorld({ database: new DatabaseSync(":memory:", options) });
  const names = [firstClaim("k", { fingerprint: "f" })];
  await world.createRuns([newRun("wrun_1", { names })], NOW);
  expect(await world.createRuns([newRun("wrun_2", { names })], NOW)).toMatchObject([
    {
      outcome: "held",
      name: { createdAt: NOW, fingerprint: "f" },
      run: { runId: "wrun_1", seq: 1, dueAt: NOW },
    },
  ]);
  await world.deliver([{ messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null }], NOW);
  const { runs } = await world.claim(claiming());
  expect(runs).toMatchObject([
    { run: { runId: "wrun_1", epoch: 1 }, events: [{ seq: 1, at: NOW }], mail: [{ mailSeq: 1 }] },
  ]);
  expect(await world.commit([hold("wrun_1", 1, [event("step_created", "s")])], NOW)).toMatchObject([
    { outcome: "committed", mailSeq: 1 },
  ]);
  expect(await world.listRuns({ limit: 1 })).toMatchObject({ runs: [{ runId: "wrun_1", seq: 2 }] });
});

test("a busy timeout of the program's own does not block the event loop, and stays", async () => {
  const path = temporaryFile();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA busy_timeout = 60000");
  const world = await openWorld({ database, busyTimeout: 50 });
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await refuses(world.createRuns([newRun("wrun_1")], NOW), { message: /\(SQLITE_BUSY\)/, retryable: true });
  expect(Object.values(database.prepare("PRAGMA busy_timeout").get() ?? {})).toEqual([60_000]);
  other.close();
  database.close();
});

test("a transaction of the program's own is waited for, then named", async () => {
  const database = new DatabaseSync(temporaryFile());
  const world = await openWorld({ database, busyTimeout: 50 });
  database.exec("BEGIN");
  await refuses(world.createRuns([newRun("wrun_1")], NOW), {
    message: /was kept waiting by a transaction of yours/,
    retryable: true,
  });
  const waiting = world.createRuns([newRun("wrun_1")], NOW);
  database.exec("COMMIT");
  expect(await waiting).toMatchObject([{ outcome: "created" }]);
  database.exec("BEGIN");
  await refuses(sqliteWorld({ database, busyTimeout: 50 }).open(), {
    message: /was kept waiting by a transaction of yours/,
    retryable: true,
  });
  database.close();
});

test("a connection that the program has closed", async () => {
  const database = new DatabaseSync(temporaryFile());
  const world = await openWorld({ database });
  database.close();
  await refuses(world.getRuns([]), { message: /has lost its connection/, retryable: false });
  database.open();
  await refuses(world.createRuns([newRun("wrun_1")], NOW), {
    message: /has lost its connection/,
    retryable: false,
  });
  await world.close();
  await world.open();
  expect(await world.createRuns([newRun("wrun_1")], NOW)).toMatchObject([{ outcome: "created" }]);
  database.close();
});
