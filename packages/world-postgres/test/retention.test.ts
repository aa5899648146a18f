import { deleteOldRuns } from "@perdure/core/world";
import { CLAIM_ID, event, finish, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

test("runs that take several transactions to delete: nothing of them stays", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  const runIds = ["wrun_1", "wrun_2", "wrun_3", "wrun_4"];
  await world.createRuns(
    runIds.map((runId) =>
      newRun(runId, {
        lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 },
        names: [firstClaim(`key of ${runId}`, { keepFor: null })],
      }),
    ),
    NOW,
  );
  const events = Array.from({ length: 3_000 }, (_, index) => event("step_completed", `step-${index}`));
  await world.commit(
    runIds.map((runId) => hold(runId, 1, [...events, taking("h", runId)])),
    NOW,
  );
  await world.deliver(
    runIds.map((runId) => ({ messageId: runId, to: { runId }, type: "wake", at: NOW, data: null })),
    NOW,
  );
  await world.commit(
    runIds.slice(0, 3).map((runId, index) => ({ ...finish(runId, 3_002, NOW + index), mailDone: 1 })),
    NOW,
  );

  expect(await world.deleteRuns(runIds.slice(0, 1))).toBe(1);
  expect(await deleteOldRuns(world, NOW + 2)).toBe(1);
  expect(await world.getRuns(runIds)).toMatchObject([null, null, { runId: "wrun_3" }, { runId: "wrun_4" }]);
  expect(await world.deleteRuns(runIds)).toBe(1);

  const admin = await superuser();
  for (const table of ["events", "mail", "names"]) {
    const { rows } = await admin.query(`SELECT count(DISTINCT run)::int AS runs FROM ${schema}.${table}`);
    expect([table, rows[0].runs]).toEqual([table, 1]);
  }
});

test("a deletion waits for nobody, and nobody waits for it", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  const world = await openWorld({ url, schema });
  const runIds = ["wrun_1", "wrun_2", "wrun_3"];
  await world.createRuns(
    runIds.map((runId) => newRun(runId, { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })),
    NOW,
  );
  await world.commit([finish("wrun_1", 1, NOW), finish("wrun_2", 1, NOW)], NOW);

  const stranger = new pg.Client(url);
  await stranger.connect();
  onTestFinished(() => stranger.end());
  await stranger.query(`BEGIN; SELECT FROM ${schema}.runs WHERE run_id = 'wrun_1' FOR UPDATE`);
  expect(await world.deleteRuns(runIds)).toBe(1);
  await stranger.query("ROLLBACK");

  // While a deletion is under way, an open run is written.
  await stranger.query("BEGIN");
  await stranger.query(`SELECT ${schema}.delete_runs_1(NULL, '{wrun_1,wrun_2,wrun_3}', 5000)`);
  expect(await world.commit([finish("wrun_3", 1, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
  await world.createRuns([newRun("wrun_4")], NOW);
  await stranger.query("COMMIT");
  expect(await world.getRuns(runIds)).toMatchObject([null, null, { status: "completed" }]);
});
