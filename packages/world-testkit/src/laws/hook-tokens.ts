import { deepEqual, equal } from "node:assert/strict";
import type { CommitResult, World } from "@perdure/core/world";
import { commitOne, journalOf, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  eventOf,
  finishing,
  holding,
  hookCreated,
  hookDisposed,
  parking,
  START,
  stepCreated,
} from "../requests.ts";
import { same } from "../same.ts";

/** A token belongs to one live hook, and the commit that asks for it says who has it. */
export const hookTokens: Law = {
  name: "hook-tokens",
  cases: {
    "a hook can be found by its token": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      equal(await world.getHookByToken("token-1"), null);
      const event = { ...hookCreated("hook-1", "token-1", bytesOf("metadata")), at: START + 9 };
      same(await commitOne(world, holding(run, [event])), {
        outcome: "committed",
        mailSeq: 0,
        conflicts: [],
      });
      same(await (await stage.open()).getHookByToken("token-1"), {
        token: "token-1",
        hookId: "hook-1",
        runId: run.runId,
        createdAt: START + 9,
        data: bytesOf("metadata"),
      });
    },

    "a taken token is a conflict, written as such": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [hookCreated("hook-1", "token-1")]));
      const run = await leasedRun(world);
      const asked = { ...hookCreated("hook-2", "token-1", bytesOf("metadata")), at: START + 3 };
      const events = [stepCreated("step-1"), asked, stepCreated("step-2")];
      const conflicts = [{ hookId: "hook-2", runId: owner.runId }];
      same(await commitOne(world, holding(run, events)), { outcome: "committed", mailSeq: 0, conflicts });
      const written = { ...asked, type: "hook_conflict", data: bytesOf(owner.runId), seq: 3 };
      same((await journalOf(world, run.runId))[2], written);
      equal((await world.getHookByToken("token-1"))?.hookId, "hook-1");
    },

    "a run conflicts with itself": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const events = [hookCreated("hook-1", "token-1"), hookCreated("hook-2", "token-1")];
      same(conflictsOf(await commitOne(world, holding(run, events))), [
        { hookId: "hook-2", runId: run.runId },
      ]);
      const held = await rowOf(world, run.runId);
      same(conflictsOf(await commitOne(world, holding(held, [hookCreated("hook-3", "token-1")]))), [
        { hookId: "hook-3", runId: run.runId },
      ]);
      equal((await world.getHookByToken("token-1"))?.hookId, "hook-1");
    },

    "of two runs in one batch the earlier takes the token": async (stage) => {
      const world = await stage.open();
      const [low, high] = [await leasedRun(world), await leasedRun(world)];
      const results = await world.commit(
        [high, low].map((run) => holding(run, [hookCreated(`hook of ${run.runId}`, "token-1")])),
        START,
      );
      same(results.map(conflictsOf), [[], [{ hookId: `hook of ${low.runId}`, runId: high.runId }]]);
    },

    "of twelve runs on four Worlds one takes the token, ten times": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 10; round++) {
        const token = `token-${round}`;
        const runs = await Promise.all(Array.from({ length: 12 }, () => leasedRun(world)));
        const results = await Promise.all(
          runs.map((run, index) =>
            commitOne(
              worlds[index % 4] ?? world,
              parking(run, START + 9, [hookCreated(`hook-${index}`, token)]),
            ),
          ),
        );
        const winners = runs.filter((_, index) => conflictsOf(results[index]).length === 0);
        equal(winners.length, 1, `winners in round ${round}`);
        const owner = winners[0]?.runId ?? "";
        equal((await world.getHookByToken(token))?.runId, owner);
        for (const [index, run] of runs.entries()) {
          const written = (await journalOf(world, run.runId)).at(-1);
          equal(written?.type, run.runId === owner ? "hook_created" : "hook_conflict");
          if (run.runId === owner) continue;
          same(conflictsOf(results[index]), [{ hookId: `hook-${index}`, runId: owner }]);
          same(written?.data, bytesOf(owner));
        }
      }
    },

    "a disposed hook frees its token": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const taken = await write(
        world,
        holding(run, [hookCreated("hook-1", "a"), hookCreated("hook-2", "b")]),
      );
      await write(world, holding(taken, [hookDisposed("hook-1")]));
      equal(await world.getHookByToken("a"), null);
      equal((await world.getHookByToken("b"))?.hookId, "hook-2");
      const next = await leasedRun(world);
      same(conflictsOf(await commitOne(world, holding(next, [hookCreated("hook-1", "a")]))), []);
      equal((await world.getHookByToken("a"))?.runId, next.runId);
    },

    "a token can change hands within one commit and within one batch": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holding(await leasedRun(world), [hookCreated("hook-1", "token-1")]));
      const other = await leasedRun(world);
      const retaken = [hookDisposed("hook-1"), hookCreated("hook-2", "token-1")];
      same(conflictsOf(await commitOne(world, holding(run, retaken))), []);
      equal((await world.getHookByToken("token-1"))?.hookId, "hook-2");
      const held = await rowOf(world, run.runId);
      const results = await world.commit(
        [holding(held, [hookDisposed("hook-2")]), holding(other, [hookCreated("hook-3", "token-1")])],
        START,
      );
      same(results.map(conflictsOf), [[], []]);
      equal((await world.getHookByToken("token-1"))?.runId, other.runId);
    },

    "a hook that lost its token frees nobody's": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [hookCreated("hook-1", "token-1")]));
      const run = await leasedRun(world);
      // Hook ids need not be unique beyond their run.
      const lost = await write(
        world,
        holding(run, [hookCreated("hook-1", "token-1"), hookDisposed("hook-1")]),
      );
      equal((await world.getHookByToken("token-1"))?.runId, owner.runId);
      await write(world, finishing(lost));
      equal((await world.getHookByToken("token-1"))?.runId, owner.runId);
    },

    "a run that ends frees all its tokens": async (stage) => {
      const world = await stage.open();
      for (const status of ["completed", "failed", "cancelled"] as const) {
        const run = await write(world, holding(await leasedRun(world), [hookCreated("hook-1", "a")]));
        // One of them taken by the very commit that ends the run.
        const events = [hookCreated("hook-2", "b"), eventOf(`run_${status}`)];
        const commit = holding(run, events, {
          run: { status, completedAt: START },
          lease: { type: "finish" },
        });
        await write(world, commit);
        deepEqual([await world.getHookByToken("a"), await world.getHookByToken("b")], [null, null]);
        deepEqual((await world.listHooks({ limit: 10 })).hooks, []);
      }
    },

    "a parked run keeps its tokens": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await write(world, parking(run, null, [hookCreated("hook-1", "token-1")]));
      equal((await world.getHookByToken("token-1"))?.runId, run.runId);
      const other = await leasedRun(world);
      const result = await commitOne(world, holding(other, [hookCreated("hook-2", "token-1")]));
      same(conflictsOf(result), [{ hookId: "hook-2", runId: run.runId }]);
    },
  },
};

function conflictsOf(result: CommitResult | undefined) {
  equal(result?.outcome, "committed");
  return result?.outcome === "committed" ? result.conflicts : [];
}
