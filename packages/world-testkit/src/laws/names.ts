import { deepEqual, equal } from "node:assert/strict";
import type { World } from "@perdure/core/world";
import { commitOne, conflictsOf, holderOf, journalOf, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  eventOf,
  finishing,
  holding,
  parking,
  REFUSED,
  releasing,
  START,
  stepCreated,
  taking,
} from "../requests.ts";
import { same } from "../same.ts";

/** A name has one holder, and who asks for it in vain hears who that is. */
export const names: Law = {
  name: "names",
  cases: {
    "who has a name can be looked up": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      equal(await holderOf(world, "token-1"), null);
      const event = {
        ...taking("hook-1", "token-1", { data: bytesOf("metadata"), fingerprint: "print" }),
        at: START + 9,
      };
      same(await commitOne(world, holding(run, [event])), {
        outcome: "committed",
        mailSeq: 0,
        endSeq: 0,
        conflicts: [],
      });
      same(await holderOf(await stage.open(), "token-1"), {
        name: "token-1",
        id: "hook-1",
        runId: run.runId,
        fingerprint: "print",
        data: bytesOf("metadata"),
        createdAt: START + 9,
      });
    },

    "a taken token is a conflict, written as such": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [taking("hook-1", "token-1")]));
      const run = await leasedRun(world);
      const asked = { ...taking("hook-2", "token-1", { data: bytesOf("metadata") }), at: START + 3 };
      const events = [stepCreated("step-1"), asked, stepCreated("step-2")];
      const conflicts = [{ id: "hook-2", runId: owner.runId }];
      same(await commitOne(world, holding(run, events)), {
        outcome: "committed",
        mailSeq: 0,
        endSeq: 0,
        conflicts,
      });
      const { claim: _, ...event } = asked;
      const written = { ...event, type: REFUSED, data: bytesOf(owner.runId), seq: 3 };
      same((await journalOf(world, run.runId))[2], written);
      equal((await holderOf(world, "token-1"))?.id, "hook-1");
    },

    "a run conflicts with itself": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const events = [taking("hook-1", "token-1"), taking("hook-2", "token-1")];
      same(conflictsOf(await commitOne(world, holding(run, events))), [{ id: "hook-2", runId: run.runId }]);
      const held = await rowOf(world, run.runId);
      same(conflictsOf(await commitOne(world, holding(held, [taking("hook-3", "token-1")]))), [
        { id: "hook-3", runId: run.runId },
      ]);
      equal((await holderOf(world, "token-1"))?.id, "hook-1");
    },

    "of two runs in one batch the earlier takes the token": async (stage) => {
      const world = await stage.open();
      const [low, high] = [await leasedRun(world), await leasedRun(world)];
      const results = await world.commit(
        [high, low].map((run) => holding(run, [taking(`hook of ${run.runId}`, "token-1")])),
        START,
      );
      same(results.map(conflictsOf), [[], [{ id: `hook of ${low.runId}`, runId: high.runId }]]);
    },

    "of twelve runs on four Worlds one takes the token, ten times": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 10; round++) {
        const token = `token-${round}`;
        const runs = await Promise.all(Array.from({ length: 12 }, () => leasedRun(world)));
        const results = await Promise.all(
          runs.map((run, index) =>
            commitOne(worlds[index % 4] ?? world, parking(run, START + 9, [taking(`hook-${index}`, token)])),
          ),
        );
        const winners = runs.filter((_, index) => conflictsOf(results[index]).length === 0);
        equal(winners.length, 1, `winners in round ${round}`);
        const owner = winners[0]?.runId ?? "";
        equal((await holderOf(world, token))?.runId, owner);
        for (const [index, run] of runs.entries()) {
          const written = (await journalOf(world, run.runId)).at(-1);
          equal(written?.type, run.runId === owner ? "hook_created" : REFUSED);
          if (run.runId === owner) continue;
          same(conflictsOf(results[index]), [{ id: `hook-${index}`, runId: owner }]);
          same(written?.data, bytesOf(owner));
        }
      }
    },

    "a disposed hook frees its token": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const taken = await write(world, holding(run, [taking("hook-1", "a"), taking("hook-2", "b")]));
      await write(world, holding(taken, [releasing("hook-1")]));
      equal(await holderOf(world, "a"), null);
      equal((await holderOf(world, "b"))?.id, "hook-2");
      const next = await leasedRun(world);
      same(conflictsOf(await commitOne(world, holding(next, [taking("hook-1", "a")]))), []);
      equal((await holderOf(world, "a"))?.runId, next.runId);
    },

    "a token can change hands within one commit and within one batch": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holding(await leasedRun(world), [taking("hook-1", "token-1")]));
      const other = await leasedRun(world);
      const retaken = [releasing("hook-1"), taking("hook-2", "token-1")];
      same(conflictsOf(await commitOne(world, holding(run, retaken))), []);
      equal((await holderOf(world, "token-1"))?.id, "hook-2");
      const held = await rowOf(world, run.runId);
      const results = await world.commit(
        [holding(held, [releasing("hook-2")]), holding(other, [taking("hook-3", "token-1")])],
        START,
      );
      same(results.map(conflictsOf), [[], []]);
      equal((await holderOf(world, "token-1"))?.runId, other.runId);
    },

    "a hook that lost its token frees nobody's": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [taking("hook-1", "token-1")]));
      const run = await leasedRun(world);
      // Hook ids need not be unique beyond their run.
      const lost = await write(world, holding(run, [taking("hook-1", "token-1"), releasing("hook-1")]));
      equal((await holderOf(world, "token-1"))?.runId, owner.runId);
      await write(world, finishing(lost));
      equal((await holderOf(world, "token-1"))?.runId, owner.runId);
    },

    "a run that ends frees all its tokens": async (stage) => {
      const world = await stage.open();
      for (const status of ["completed", "failed", "cancelled"] as const) {
        const run = await write(world, holding(await leasedRun(world), [taking("hook-1", "a")]));
        // One of them taken by the very commit that ends the run.
        const events = [taking("hook-2", "b"), eventOf(`run_${status}`)];
        const commit = holding(run, events, {
          run: { status, completedAt: START },
          lease: { type: "park", dueAt: null },
        });
        await write(world, commit);
        deepEqual([await holderOf(world, "a"), await holderOf(world, "b")], [null, null]);
        deepEqual((await world.listNames({ limit: 10, now: START })).names, []);
      }
    },

    "a parked run keeps its tokens": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await write(world, parking(run, null, [taking("hook-1", "token-1")]));
      equal((await holderOf(world, "token-1"))?.runId, run.runId);
      const other = await leasedRun(world);
      const result = await commitOne(world, holding(other, [taking("hook-2", "token-1")]));
      same(conflictsOf(result), [{ id: "hook-2", runId: run.runId }]);
    },
  },
};
