import { closeSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { RunCommit, World } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { expect, onTestFinished, test, vi } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

/** One run that cannot be read, between two that can. */

const RUNS = ["wrun_1", "wrun_2", "wrun_3"];

/** What happens to the rows of the second run, and how it is told. */
const HARMS: readonly (readonly [string, RegExp])[] = [
  ["DELETE FROM perdure_events WHERE run = 2 AND seq = 3", /event 3 of its journal is missing/],
  ["DELETE FROM perdure_events WHERE run = 2 AND seq = 1", /event 1 of its journal is missing/],
  ["DELETE FROM perdure_events WHERE run = 2", /event 1 of its journal is missing/],
  ["UPDATE perdure_events SET data = 'secret' WHERE run = 2 AND seq = 2", /column data holds a string/],
  ["UPDATE perdure_events SET at = 'secret' WHERE run = 2", /column at holds a string in place of a number/],
  ["UPDATE perdure_events SET at = 9223372036854775807 WHERE run = 2 AND seq = 2", /too large/],
  ["UPDATE perdure_events SET seq = 7 WHERE run = 2 AND seq = 2", /event 2 of its journal is missing/],
  ["DELETE FROM perdure_mail WHERE run = 2", /a message of its mailbox is missing/],
  ["UPDATE perdure_mail SET data = 'secret' WHERE run = 2", /column data holds a string/],
];

test.for(HARMS)("%s", async ([sql, what]) => {
  const path = temporaryFile();
  await storeWithRuns(path);
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();

  const world = await openWorld({ path });
  await expectOneDamaged(world, what);
});

test("a page of a journal", async () => {
  const path = temporaryFile();
  await storeWithRuns(path);
  destroyPage(
    path,
    "name = 'perdure_events' AND pagetype = 'overflow' AND path LIKE '/%' ORDER BY path LIMIT 1 OFFSET 5",
  );
  const world = await openWorld({ path });
  await expectOneDamaged(world, /a page of the file is damaged/);
});

test("the row itself: others are claimed, and it is told once and to whoever asks for it", async () => {
  const path = temporaryFile();
  await storeWithRuns(path);
  const database = new DatabaseSync(path);
  database.exec("UPDATE perdure_runs SET seq = 'secret' WHERE id = 1");
  database.close();
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => warned.mockRestore());

  const world = await openWorld({ path });
  const first = await world.claim(claiming({ limit: 1 }));
  expect(first.runs.map(({ run }) => run.runId)).toEqual(["wrun_2"]);
  const last = await world.claim(claiming());
  expect(last.runs.map(({ run }) => run.runId)).toEqual(["wrun_3"]);
  expect((await world.claim(claiming())).nextDueAt).toBe(NOW + 30_000);
  expect(warned.mock.calls).toEqual([
    [expect.stringMatching(/perdure_runs, rows 1 \(column id\)/), "PerdureWarning"],
  ]);
  await refuses(world.getRuns(["wrun_1"]), { message: /column seq holds a string/, retryable: false });
  expect(await world.getRuns(["wrun_2"])).toMatchObject([{ runId: "wrun_2" }]);
});

test("a listing names the rows that cannot be read, and goes on after them", async () => {
  const path = temporaryFile();
  await storeWithRuns(path);
  const database = new DatabaseSync(path);
  database.exec("UPDATE perdure_runs SET seq = 'secret', attributes = 'secret' WHERE id = 2");
  database.exec("UPDATE perdure_runs SET attributes = 'secret' WHERE id = 3");
  database.close();

  const world = await openWorld({ path });
  const damage = (runId: string, what: string) => ({
    runId,
    damage: expect.objectContaining({
      message: expect.stringMatching(
        `of run ${runId} in the SQLite World .* are damaged: its column ${what}`,
      ),
      damaged: true,
    }),
  });
  const seq = damage("wrun_2", "seq holds a string");
  const page = await world.listRuns({ limit: 9 });
  expect(page.runs).toMatchObject([{ runId: "wrun_1" }]);
  expect(page.damaged).toEqual([damage("wrun_3", "attributes holds no attributes"), seq]);
  const first = await world.listRuns({ limit: 2, order: "asc" });
  expect(first).toMatchObject({ runs: [{ runId: "wrun_1" }], damaged: [seq] });
  const rest = await world.listRuns({ limit: 2, order: "asc", cursor: String(first.cursor) });
  expect(rest).toMatchObject({ runs: [], damaged: [{ runId: "wrun_3" }], cursor: null });
});

test("a page of rows: those on other pages are claimed", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const runIds = Array.from({ length: 400 }, (_, index) => `wrun_${index}`);
  await world.createRuns(
    runIds.map((runId) => newRun(runId)),
    NOW,
  );
  await world.close();
  destroyPage(path, "name = 'perdure_runs' AND pagetype = 'leaf' ORDER BY path LIMIT 1");
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => warned.mockRestore());

  await world.open();
  const { runs } = await world.claim(claiming({ limit: 1_000 }));
  const claimed = runs.map(({ run }) => run.runId);
  expect(claimed.length).toBeGreaterThan(200);
  expect(claimed).toContain("wrun_399");
  expect(claimed).not.toContain("wrun_0");
  expect(warned).toHaveBeenCalledTimes(1);
});

async function storeWithRuns(path: string): Promise<void> {
  const world = await openWorld({ path });
  await world.createRuns(
    RUNS.map((runId) => newRun(runId, { lease: { owner: "w", claimId: CLAIM_ID, ttl: 0 } })),
    NOW,
  );
  const large = { ...event("step_completed", "s"), data: new Uint8Array(20_000) };
  await world.commit(
    RUNS.map((runId): RunCommit => {
      const events = [event("step_created", "s"), large];
      return { ...hold(runId, 1, events), lease: { type: "park", dueAt: NOW } };
    }),
    NOW,
  );
  await world.deliver(
    RUNS.map((runId) => ({ messageId: runId, to: { runId }, type: "wake", at: NOW, data: null })),
    NOW,
  );
  await world.close();
}

/** The second run comes with its damage and can be parked; the others come whole. */
async function expectOneDamaged(world: World, what: RegExp): Promise<void> {
  const { runs } = await world.claim(claiming({ claimId: "claim-2" }));
  expect(runs.map(({ run }) => run.runId)).toEqual(RUNS);
  for (const { run, damage, events, mail } of runs) {
    const whole = run.runId !== "wrun_2";
    expect([run.runId, events.length, mail.length]).toEqual([run.runId, whole ? 3 : 0, whole ? 1 : 0]);
    if (whole) expect(damage).toBeNull();
    else
      expect(damage?.message).toMatch(
        /The rows of run wrun_2 in the SQLite World .*perdure\.db are damaged: /,
      );
    if (!whole) expect(damage?.message).toMatch(what);
    expect(String(damage?.message)).not.toContain("secret");
  }
  const parking: RunCommit = {
    ...hold("wrun_2", 3, []),
    epoch: 2,
    claimId: "claim-2",
    run: { status: "diverged" },
    lease: { type: "park", dueAt: null },
  };
  expect(await world.commit([parking], NOW)).toMatchObject([{ outcome: "committed" }]);
}

/** Overwrites a page that fits. */
function destroyPage(path: string, where: string): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const { pageno } = { ...database.prepare(`SELECT pageno FROM dbstat WHERE ${where}`).get() };
  database.close();
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, (Number(pageno) - 1) * 4096);
  closeSync(file);
}
