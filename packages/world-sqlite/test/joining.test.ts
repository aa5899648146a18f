import { DatabaseSync } from "node:sqlite";
import type { SqlTransaction } from "@perdure/core/world";
import { claiming, firstClaim, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { expect, onTestFinished, test, vi } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

/** Transactions of the program's own that starts and messages join. */

const WAIT = { timeout: 20_000 };

test("a transaction of another library needs nothing but execute", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const database = openDatabase(path);
  const transaction: SqlTransaction = {
    execute: async (sql, parameters) => database.prepare(sql).run(...(parameters as Uint8Array[])),
  };
  database.exec("CREATE TABLE orders (id INTEGER); BEGIN; INSERT INTO orders VALUES (1)");
  await world.joining(transaction).createRuns([newRun("wrun_1", { names: [firstClaim("hook")] })], NOW);
  const message = { messageId: "m", to: { name: "hook" }, type: "t", at: NOW, data: null };
  await world.joining(transaction).deliver([message], NOW);
  expect((await world.claim(claiming())).runs).toEqual([]);
  database.exec("COMMIT");
  expect((await world.claim(claiming())).runs).toMatchObject([
    { run: { runId: "wrun_1" }, mail: [{ messageId: "m" }] },
  ]);
  expect(database.prepare("SELECT count(*) AS rows FROM perdure_outbox").get()).toEqual({ rows: 0 });
});

test("on the connection that the World has from the program: with the commit, and not with a rollback", async () => {
  const database = openDatabase(temporaryFile());
  const world = await openWorld({ database });
  onTestFinished(world.subscribe(() => {}));
  for (const end of ["ROLLBACK", "COMMIT"]) {
    database.exec("BEGIN");
    await world.joining(database).createRuns([newRun(end)], NOW);
    database.exec(end);
  }
  await expect
    .poll(() => world.getRuns(["ROLLBACK", "COMMIT"]), WAIT)
    .toMatchObject([null, { runId: "COMMIT" }]);
});

test("what cannot be joined is refused, and says what to pass", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const other = openDatabase(temporaryFile());
  other.exec("BEGIN");
  const refused = (transaction: unknown) => world.joining(transaction).createRuns([newRun("wrun_1")], NOW);
  await refuses(refused(other), {
    message: /is on another database\. Pass a connection to .*perdure\.db/,
    retryable: false,
  });
  await refuses(refused({ query: () => {} }), {
    message: /joins a DatabaseSync on its file, or/,
    retryable: false,
  });
  const database = openDatabase(path);
  if ("isTransaction" in database) {
    await refuses(refused(database), { message: /has no transaction open\. Call exec/, retryable: false });
  }
  expect(database.prepare("SELECT count(*) AS rows FROM perdure_outbox").get()).toEqual({ rows: 0 });
});

test("while a transaction is open readers go on and writers wait, and nothing is held beyond its end", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path, busyTimeout: 30 });
  await world.createRuns([newRun("wrun_1")], NOW);
  const database = openDatabase(path);
  database.exec("BEGIN");
  await world.joining(database).createRuns([newRun("wrun_2")], NOW);
  expect(await world.getRuns(["wrun_1", "wrun_2"])).toMatchObject([{ runId: "wrun_1" }, null]);
  await refuses(world.createRuns([newRun("wrun_3")], NOW), { message: /SQLITE_BUSY/, retryable: true });
  database.exec("COMMIT");
  expect(await world.createRuns([newRun("wrun_3")], NOW)).toMatchObject([{ outcome: "created" }]);
  const { runs } = await world.claim(claiming());
  expect(runs.map(({ run }) => run.runId).sort()).toEqual(["wrun_1", "wrun_2", "wrun_3"]);
});

test("a row that cannot be carried out is named once, and is in nobody's way", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const database = openDatabase(path);
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => warned.mockRestore());
  database.exec("BEGIN; INSERT INTO perdure_outbox (request) VALUES ('secret'), (x'00')");
  for (let row = 0; row < 250; row++) await world.joining(database).createRuns([newRun(`wrun_${row}`)], NOW);
  database.exec("COMMIT");
  for (let claim = 0; claim < 2; claim++) await world.claim(claiming({ limit: 1, queues: ["nobody's"] }));
  expect(await world.countRuns({})).toBe(250);
  expect(database.prepare("SELECT id FROM perdure_outbox").all()).toEqual([{ id: 1 }, { id: 2 }]);
  expect(warned.mock.calls).toEqual([
    [
      expect.stringMatching(/row 1 of the table perdure_outbox cannot be carried out: .* Others go on/),
      "PerdureWarning",
    ],
    [expect.stringMatching(/row 2 of the table/), "PerdureWarning"],
  ]);
  expect(String(warned.mock.calls)).not.toContain("secret");
});

test("by the store's clock, a start is due as long after the commit as it is after the request's now", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path, clock: "store" });
  const database = openDatabase(path);
  database.exec("BEGIN");
  await world
    .joining(database)
    .createRuns([newRun("wrun_1", { dueAt: 60_000 }), newRun("wrun_2", { dueAt: 0 })], 0);
  database.exec("COMMIT");
  const { runs, now, nextDueAt } = await world.claim(claiming({ now: 0 }));
  expect(runs.map(({ run }) => run.runId)).toEqual(["wrun_2"]);
  expect((nextDueAt ?? 0) - now).toBeGreaterThan(30_000);
  expect((nextDueAt ?? 0) - now).toBeLessThanOrEqual(60_000);
});

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
}
