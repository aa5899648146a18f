import { DatabaseSync } from "node:sqlite";
import { deleteOldRuns } from "@perdure/core/world";
import { CLAIM_ID, event, finish, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

test("runs that take several transactions to delete: nothing of them stays", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
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
  const events = Array.from({ length: 1_500 }, (_, index) => event("step_completed", `step-${index}`));
  await world.commit(
    runIds.map((runId) => hold(runId, 1, [...events, taking("h", runId)])),
    NOW,
  );
  await world.deliver(
    runIds.map((runId) => ({ messageId: runId, to: { runId }, type: "wake", at: NOW, data: null })),
    NOW,
  );
  const ended = runIds.slice(0, 3);
  await world.commit(
    ended.map((runId, index) => ({ ...finish(runId, 1_502, NOW + index), mailDone: 1 })),
    NOW,
  );

  expect(await world.deleteRuns(runIds.slice(0, 1))).toBe(1);
  expect(await deleteOldRuns(world, NOW + 2)).toBe(1);
  expect(await world.getRuns(runIds)).toMatchObject([null, null, { runId: "wrun_3" }, { runId: "wrun_4" }]);
  expect(await world.deleteRuns(runIds)).toBe(1);

  const database = new DatabaseSync(path);
  for (const table of ["events", "mail", "names"]) {
    const { runs } = {
      ...database.prepare(`SELECT count(DISTINCT run) AS runs FROM perdure_${table}`).get(),
    };
    expect([table, runs]).toEqual([table, 1]);
  }
  database.close();
});
