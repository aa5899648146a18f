import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { inspect } from "node:util";
import type { World } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

const SECRET = "planted-secret";
const BYTES = new TextEncoder().encode(`"${SECRET}"`);

/** Ways in which a store fails under a World. */
const FAILURES: Readonly<Record<string, (database: DatabaseSync, path: string) => void>> = {
  "tables are gone": (database) =>
    database.exec(
      "DROP TABLE perdure_names; DROP TABLE perdure_records; DROP TABLE perdure_mail; DROP TABLE perdure_events",
    ),
  "a unique index refuses": (database) =>
    database.exec(
      "CREATE UNIQUE INDEX one_row ON perdure_names (fingerprint IS NULL); CREATE UNIQUE INDEX one_event ON perdure_events (at)",
    ),
  "the disk is full": (database) => database.exec("PRAGMA max_page_count = 1"),
  "the connection is closed": (database) => database.close(),
  "the file is deleted": (_, path) => rmSync(path),
  "rows are of other types": (database) =>
    database.exec(
      `UPDATE perdure_events SET data = '${SECRET}', at = '${SECRET}'; UPDATE perdure_runs SET bytes = '${SECRET}'; UPDATE perdure_records SET value = '${SECRET}'`,
    ),
};

test.for(Object.entries(FAILURES))("%s: no error repeats what was passed in", async ([, fail]) => {
  const path = temporaryFile();
  const database = new DatabaseSync(path);
  const world = await openWorld({ database });
  const claim = firstClaim(SECRET, { fingerprint: SECRET, data: BYTES });
  const created = { ...event("run_created"), data: BYTES };
  const lease = { owner: "w", claimId: CLAIM_ID, ttl: 0 };
  await world.createRuns([newRun("wrun_1", { events: [created], names: [claim], lease })], NOW);
  const record = { key: SECRET, writeId: SECRET, ifVersion: null, value: BYTES, ttl: null };
  await world.writeRecords([record], NOW);
  fail(database, path);

  const said: unknown[] = [world.capabilities, world.describe()];
  const calls: readonly ((world: World) => Promise<unknown>)[] = [
    () =>
      world.createRuns(
        [newRun("wrun_2", { events: [created], names: [{ ...claim, name: `${SECRET}2` }] })],
        NOW,
      ),
    () => world.commit([hold("wrun_1", 1, [taking("h", `${SECRET}3`)])], NOW),
    () =>
      world.deliver(
        [{ messageId: "m", to: { name: SECRET }, type: "hook_received", at: NOW, data: BYTES }],
        NOW,
      ),
    () => world.claim(claiming()).then(({ runs }) => Promise.reject(runs[0]?.damage)),
    () => world.getNames([SECRET], NOW),
    () => world.listNames({ prefix: SECRET, limit: 1, now: NOW }),
    () => world.listEvents("wrun_1", 0, 10),
    () => world.getRuns(["wrun_1"]),
    () => world.writeRecords([{ ...record, key: `${SECRET}2` }, record], NOW),
    () => world.readRecords([SECRET], NOW),
  ];
  let failed = 0;
  for (const call of calls) {
    const error = await call(world).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) continue;
    failed++;
    said.push(error, String(error), JSON.stringify(error), (error as Error | null)?.stack);
  }
  expect(failed).toBeGreaterThan(0);
  expect(inspect(said, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(SECRET);
  if (database.isOpen) database.close();
});
