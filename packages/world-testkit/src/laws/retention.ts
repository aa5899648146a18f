import { deepEqual, equal } from "node:assert/strict";
import type { RunRecord, World } from "@perdure/core/world";
import { claimOne, commitOne, deliverOne, journalOf, leasedRun, leaseIn, mailOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  finishing,
  holding,
  hookCreated,
  parking,
  START,
  stepCreated,
  TTL,
  toRun,
  toToken,
} from "../requests.ts";
import { same } from "../same.ts";

/** `deleteRuns`: old ended runs go with all that is theirs, and nothing else goes. */
export const retention: Law = {
  name: "retention",
  cases: {
    "only runs that ended before the time are deleted": async (stage) => {
      const world = await stage.open();
      const old = await endedRun(world, START + 1);
      const young = await endedRun(world, START + 2);
      const held = await leasedRun(world);
      const parked = await write(world, parking(await leasedRun(world), START, [stepCreated("step-1")]));
      equal(await world.deleteRuns({ completedBefore: START + 1, limit: 10 }), 0);
      equal(await world.deleteRuns({ completedBefore: START + 2, limit: 10 }), 1);
      same(await world.getRuns([old, young, held, parked].map(({ runId }) => runId)), [
        null,
        young,
        held,
        parked,
      ]);
      equal(await world.deleteRuns({ completedBefore: START + 1_000_000, limit: 10 }), 1);
      same(await world.getRuns([held.runId, parked.runId]), [held, parked]);
    },

    "a call deletes at most `limit` runs": async (stage) => {
      const world = await stage.open();
      for (let index = 0; index < 7; index++) await endedRun(world, START);
      const counts = [];
      for (let call = 0; call < 4; call++) {
        counts.push(await world.deleteRuns({ completedBefore: START + 1, limit: 3 }));
      }
      deepEqual(counts, [3, 3, 1, 0]);
      deepEqual((await world.listRuns({ limit: 10 })).runs, []);
    },

    "a deleted run leaves nothing behind": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const held = await write(world, holding(run, [hookCreated("hook-1", "token-1")]));
      await deliverOne(world, toRun(run.runId, "m1"));
      await deliverOne(world, toToken("token-1", "m2"));
      const ends = finishing(held);
      await write(world, ends);
      equal(await world.deleteRuns({ completedBefore: START + 1, limit: 10 }), 1);
      const other = await stage.open();
      same(await journalOf(other, run.runId), []);
      same(await mailOf(other, run.runId), []);
      equal(await other.getHookByToken("token-1"), null);
      same(await commitOne(other, ends), { outcome: "finished" });
      const leases = [leaseIn(run)];
      same(await other.renew({ leases, ttl: TTL, now: START }), [{ outcome: "lost" }]);
      same(await deliverOne(other, toRun(run.runId, "m1")), { outcome: "no_such_run" });
      same(await deliverOne(other, toToken("token-1", "m2")), { outcome: "no_such_hook" });
      equal(await claimOne(other, { now: START + 1_000_000 }), undefined);
      // Nothing of it is in the way of a run with the same ids.
      const next = await leasedRun(other, { runId: run.runId });
      same(await deliverOne(other, toRun(run.runId, "m1")), {
        outcome: "delivered",
        runId: run.runId,
        hookId: null,
      });
      equal((await write(other, holding(next, [hookCreated("hook-1", "token-1")]))).seq, 2);
      equal((await journalOf(other, run.runId)).length, 2);
    },

    "two callers delete each run once": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let index = 0; index < 20; index++) await endedRun(world, START);
      const request = { completedBefore: START + 1, limit: 6 };
      let deleted = 0;
      for (let round = 0; round < 4; round++) {
        const counts = await Promise.all([world.deleteRuns(request), other.deleteRuns(request)]);
        deleted += counts[0] + counts[1];
      }
      equal(deleted, 20);
    },
  },
};

async function endedRun(world: World, at: number): Promise<RunRecord> {
  return write(world, finishing(await leasedRun(world), at));
}
