import { equal } from "node:assert/strict";
import { deleteOldRuns, type RunRecord, type World } from "@perdure/core/world";
import {
  claimOne,
  commitOne,
  deliverOne,
  holderOf,
  journalOf,
  leasedRun,
  leaseIn,
  mailOf,
  write,
} from "../acts.ts";
import type { Law } from "../law.ts";
import {
  finishing,
  holding,
  leaseOf,
  newRun,
  parking,
  START,
  stepCreated,
  TTL,
  taking,
  toName,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** `deleteRuns`: ended runs go with all that is theirs, and nothing else goes. */
export const retention: Law = {
  name: "retention",
  cases: {
    "only ended runs are deleted, and only those that are named": async (stage) => {
      const world = await stage.open();
      const [named, other] = [await endedRun(world, START), await endedRun(world, START)];
      const held = await leasedRun(world);
      const parked = await write(world, parking(await leasedRun(world), START, [stepCreated("step-1")]));
      const ids = [held, named, parked].map(({ runId }) => runId);
      equal(await world.deleteRuns([]), 0);
      equal(await world.deleteRuns(["wrun_unknown", ...ids, named.runId]), 1);
      equal(await world.deleteRuns(ids), 0);
      same(await world.getRuns([...ids, other.runId]), [held, null, parked, other]);
    },

    "runs that ended before a time are deleted, in pages": async (stage) => {
      const world = await stage.open();
      const ended: RunRecord[] = [];
      for (const after of [3, 1, 2, 5, 4]) ended.push(await endedRun(world, START + after));
      const held = await leasedRun(world);
      equal(await deleteOldRuns(world, START + 1), 0);
      equal(await deleteOldRuns(world, START + 4), 3);
      same(await world.getRuns(ended.map(({ runId }) => runId)), [null, null, null, ended[3], ended[4]]);
      equal(await deleteOldRuns(world, START + 1_000_000), 2);
      equal(await world.countRuns({}), 1);
      same(await world.getRuns([held.runId]), [held]);
    },

    "many runs are deleted in one call": async (stage) => {
      const world = await stage.open();
      const runs = Array.from({ length: 250 }, () => newRun({ lease: leaseOf() }));
      await world.createRuns(runs, START);
      const rows = await world.getRuns(runs.map(({ runId }) => runId));
      const ends = rows.flatMap((row) => (row === null ? [] : [finishing(row)]));
      equal((await world.commit(ends, START)).length, 250);
      equal(await world.deleteRuns(runs.map(({ runId }) => runId)), 250);
      equal(await world.countRuns({}), 0);
    },

    "a deleted run leaves nothing behind": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const attributes = { plan: "paid" };
      const held = await write(world, holding(run, [taking("hook-1", "token-1")], { run: { attributes } }));
      await deliverOne(world, toRun(run.runId, "m1"));
      await deliverOne(world, toName("token-1", "m2"));
      const ends = finishing(held, START, [], { mailDone: 2 });
      await write(world, ends);
      equal(await world.deleteRuns([run.runId]), 1);
      const other = await stage.open();
      same(await journalOf(other, run.runId), []);
      same(await mailOf(other, run.runId), []);
      equal(await holderOf(other, "token-1"), null);
      same(await commitOne(other, ends), { outcome: "finished" });
      const leases = [leaseIn(run)];
      same(await other.renew({ leases, ttl: TTL, now: START }), [{ outcome: "lost" }]);
      same(await deliverOne(other, toRun(run.runId, "m1")), { outcome: "no_such_run" });
      same(await deliverOne(other, toName("token-1", "m2")), { outcome: "no_such_name" });
      equal(await claimOne(other, { now: START + 1_000_000 }), undefined);
      for (const filter of [{ attributes }, { workflow: run.workflow }, { queue: run.queue }]) {
        equal(await other.countRuns(filter), 0, JSON.stringify(filter));
      }
      // Nothing of it is in the way of a run with the same ids.
      const next = await leasedRun(other, { runId: run.runId });
      equal(await other.countRuns({ attributes }), 0, "attributes of the run that was deleted");
      same(await deliverOne(other, toRun(run.runId, "m1")), {
        outcome: "delivered",
        runId: run.runId,
        id: null,
      });
      equal((await write(other, holding(next, [taking("hook-1", "token-1")]))).seq, 2);
      equal((await journalOf(other, run.runId)).length, 2);
    },

    "two callers delete each run once": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const ids: string[] = [];
      for (let index = 0; index < 20; index++) ids.push((await endedRun(world, START)).runId);
      let deleted = 0;
      for (let round = 0; round < 4; round++) {
        const some = ids.slice(5 * round, 5 * round + 8);
        const counts = await Promise.all([world.deleteRuns(some), other.deleteRuns(some.toReversed())]);
        deleted += counts[0] + counts[1];
      }
      equal(deleted, 20);
      equal(await world.countRuns({}), 0);
    },
  },
};

async function endedRun(world: World, at: number): Promise<RunRecord> {
  return write(world, finishing(await leasedRun(world), at));
}
