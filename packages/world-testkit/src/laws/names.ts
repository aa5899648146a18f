import { deepEqual, equal } from "node:assert/strict";
import { commitOne, conflictsOf, holderOf, journalOf, leasedRun, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
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

/** A name has one holder, and the commit that asks for it in vain hears who that is. */
export const names: Law = {
  name: "names",
  cases: {
    "who has a name can be looked up": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      equal(await holderOf(world, "token-1"), null);
      const claim = { data: bytesOf("metadata"), fingerprint: "print" };
      const event = { ...taking("hook-1", "token-1", claim), at: START + 9 };
      same(await commitOne(world, holding(run, [event])), {
        outcome: "committed",
        mailSeq: 0,
        endSeq: 0,
        conflicts: [],
      });
      const held = { name: "token-1", id: "hook-1", runId: run.runId, ...claim, createdAt: START + 9 };
      const other = await stage.open();
      same(await holderOf(other, "token-1"), held);
      same(await other.getNames(["", "token-1", "token", "token-1"], START), [null, held, null, held]);
      deepEqual(await other.getNames([], START), []);
    },

    "a name that is held is refused, and the journal says so": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [taking("hook-1", "token-1")]));
      const run = await leasedRun(world);
      const asked = { ...taking("hook-2", "token-1", { data: bytesOf("metadata") }), at: START + 3 };
      const events = [stepCreated("step-1"), asked, stepCreated("step-2")];
      const conflicts = [{ id: "hook-2", runId: owner.runId }];
      const answer = { outcome: "committed", mailSeq: 0, endSeq: 0, conflicts };
      same(await commitOne(world, holding(run, events)), answer);
      const { claim: _, ...event } = asked;
      const written = { ...event, type: REFUSED, data: bytesOf(owner.runId), seq: 3 };
      same((await journalOf(world, run.runId))[2], written);
      equal((await holderOf(world, "token-1"))?.id, "hook-1");
      equal((await rowOf(world, run.runId)).bytes, "metadata".length, "bytes count as they were sent");
    },

    "each claim is refused under the type that it asks for": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [taking("hook-1", "a"), taking("hook-2", "c")]));
      const run = await leasedRun(world);
      const events = [
        taking("1", "a", { refusedAs: "no luck" }),
        eventOf("no luck", { id: "4", data: bytesOf("no conflict") }),
        taking("2", "b", { refusedAs: "no luck" }),
        taking("3", "c", { refusedAs: "🔑\u0000" }),
      ];
      const commit = parking(run, START + 5, events);
      const conflicts = ["1", "3"].map((id) => ({ id, runId: owner.runId }));
      same(conflictsOf(await commitOne(world, commit)), conflicts);
      const types = (await journalOf(world, run.runId)).map(({ type }) => type);
      deepEqual(types.slice(1), ["no luck", "no luck", "hook_created", "🔑\u0000"]);
      same(conflictsOf(await commitOne(await stage.open(), commit)), conflicts, "sent again");
    },

    "what was refused stays refused when it is sent again and the name is free": async (stage) => {
      const world = await stage.open();
      const owner = await write(world, holding(await leasedRun(world), [taking("hook-1", "a")]));
      const run = await leasedRun(world);
      const commit = holding(run, [taking("hook-2", "a")]);
      const conflicts = [{ id: "hook-2", runId: owner.runId }];
      same(conflictsOf(await commitOne(world, commit)), conflicts);
      const freed = await write(world, holding(owner, [releasing("hook-1")]));
      const ends = finishing(freed);
      await write(world, ends);
      for (const deleted of [false, true]) {
        if (deleted) equal(await world.deleteRuns([owner.runId]), 1);
        const before = await readStore(world);
        same(conflictsOf(await commitOne(await stage.open(), commit)), conflicts);
        same(await readStore(world), before);
        equal(await holderOf(world, "a"), null);
      }
    },

    "a run conflicts with itself": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const conflict = (id: string) => [{ id, runId: run.runId }];
      const events = [taking("hook-1", "token-1"), taking("hook-2", "token-1")];
      same(conflictsOf(await commitOne(world, holding(run, events))), conflict("hook-2"));
      const held = await rowOf(world, run.runId);
      const again = holding(held, [taking("hook-3", "token-1")]);
      same(conflictsOf(await commitOne(world, again)), conflict("hook-3"));
      equal((await holderOf(world, "token-1"))?.id, "hook-1");
    },

    "of two runs in one batch the earlier takes the name": async (stage) => {
      const world = await stage.open();
      const [low, high] = [await leasedRun(world), await leasedRun(world)];
      const results = await world.commit(
        [high, low].map((run) => holding(run, [taking(`hook of ${run.runId}`, "token-1")])),
        START,
      );
      same(results.map(conflictsOf), [[], [{ id: `hook of ${low.runId}`, runId: high.runId }]]);
    },

    "a commit that is refused takes nothing": async (stage) => {
      const world = await stage.open();
      const [fenced, run] = [await leasedRun(world), await leasedRun(world)];
      const results = await world.commit(
        [
          holding({ ...fenced, epoch: 9 }, [taking("hook-1", "a")]),
          holding({ ...run, seq: 7 }, [taking("hook-2", "b")]),
        ],
        START,
      );
      deepEqual(
        results.map(({ outcome }) => outcome),
        ["fenced", "out_of_step"],
      );
      same(await world.getNames(["a", "b"], START), [null, null]);
    },

    "a released name is free": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const forEver = { keepFor: null, freeAt: START + 1_000_000 };
      const events = [taking("hook-1", "a", forEver), taking("hook-2", "b")];
      const taken = await write(world, holding(run, events));
      await write(world, holding(taken, [releasing("hook-1"), releasing("unknown"), releasing("a")]));
      equal(await holderOf(world, "a"), null);
      equal((await holderOf(world, "b"))?.id, "hook-2");
      const next = await leasedRun(world);
      same(conflictsOf(await commitOne(world, holding(next, [taking("hook-1", "a")]))), []);
      equal((await holderOf(world, "a"))?.runId, next.runId);
    },

    "a name can change hands within one commit and within one batch": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holding(await leasedRun(world), [taking("hook-1", "token-1")]));
      const other = await leasedRun(world);
      const retaken = [releasing("hook-1"), taking("hook-2", "token-1", { data: bytesOf("new") })];
      same(conflictsOf(await commitOne(world, holding(run, retaken))), []);
      same((await holderOf(world, "token-1"))?.data, bytesOf("new"));
      const held = await rowOf(world, run.runId);
      const results = await world.commit(
        [holding(held, [releasing("hook-2")]), holding(other, [taking("hook-3", "token-1")])],
        START,
      );
      same(results.map(conflictsOf), [[], []]);
      equal((await holderOf(world, "token-1"))?.runId, other.runId);
    },

    "a run that ends earlier in a batch has freed its names": async (stage) => {
      const world = await stage.open();
      const [low, high] = [await leasedRun(world), await leasedRun(world)];
      for (const [ends, takes] of [
        [low, high],
        [high, await leasedRun(world)],
      ] as const) {
        const held = await rowOf(world, ends.runId);
        const owner = held.seq > 1 ? held : await write(world, holding(held, [taking("hook-1", "a")]));
        const results = await world.commit(
          [finishing(owner), holding(takes, [taking("hook-2", "a")])],
          START,
        );
        same(results.map(conflictsOf), [[], []]);
        equal((await holderOf(world, "a"))?.runId, takes.runId);
      }
    },

    "who lost a name frees nobody's": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [taking("hook-1", "token-1")]));
      const run = await leasedRun(world);
      // Ids need not be unique beyond their run.
      const lost = await write(world, holding(run, [taking("hook-1", "token-1"), releasing("hook-1")]));
      equal((await holderOf(world, "token-1"))?.runId, owner.runId);
      await write(world, finishing(lost));
      equal((await holderOf(world, "token-1"))?.runId, owner.runId);
      equal(await world.deleteRuns([run.runId]), 1);
      equal((await holderOf(world, "token-1"))?.runId, owner.runId);
    },

    "a run that ends frees all its names": async (stage) => {
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

    "a parked run keeps its names": async (stage) => {
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
