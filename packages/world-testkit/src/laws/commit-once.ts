import { deepEqual, equal } from "node:assert/strict";
import type { RunCommit, World } from "@perdure/core/world";
import { claimOne, commitOne, deliverOne, journalOf, leasedRun, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law, Stage } from "../law.ts";
import {
  bytesOf,
  eventOf,
  finishing,
  holding,
  parking,
  releasing,
  START,
  stepCreated,
  taking,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** The same commit sent twice is once in the journal, and both answers say `committed`. */
export const commitOnce: Law = {
  name: "commit-once",
  cases: {
    "a commit that holds": async (stage) => {
      const run = await leasedRun(await stage.open());
      const started = { status: "running", startedAt: START } as const;
      await twice(stage, holding(run, [eventOf("run_started"), stepCreated("step-1")], { run: started }));
    },

    "a commit that parks": async (stage) => {
      const run = await leasedRun(await stage.open());
      await twice(stage, parking(run, START + 500, [stepCreated("step-1")]));
    },

    "a commit that finishes": async (stage) => {
      const run = await leasedRun(await stage.open());
      await twice(stage, finishing(run, START, [stepCreated("step-1")]));
    },

    "a commit without events that holds": async (stage) => {
      const run = await leasedRun(await stage.open());
      await twice(stage, holding(run));
    },

    "a commit without events that parks": async (stage) => {
      const run = await leasedRun(await stage.open());
      await twice(stage, parking(run, START + 500));
    },

    "a commit that consumes mail and changes the row": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await deliverOne(world, toRun(run.runId, "m1"));
      const error = bytesOf("an error");
      await twice(
        stage,
        holding(run, [eventOf("hook_received")], { mailDone: 1, run: { status: "diverged", error } }),
      );
    },

    "hooks that were taken are taken once, conflicts are told again": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world);
      await write(world, holding(owner, [taking("hook-o", "taken")]));
      const run = await leasedRun(world);
      const events = [
        taking("hook-1", "free"),
        taking("hook-2", "taken"),
        stepCreated("step-1"),
        taking("hook-3", "free"),
      ];
      const conflicts = [
        { id: "hook-2", runId: owner.runId },
        { id: "hook-3", runId: run.runId },
      ];
      for (const commit of [
        holding(run, events),
        parking({ ...run, seq: run.seq + 4 }, null, [stepCreated("s")]),
      ]) {
        const expected = commit.lease.type === "hold" ? conflicts : [];
        for (let sending = 0; sending < 2; sending++) {
          same(await commitOne(world, commit), {
            outcome: "committed",
            mailSeq: 0,
            endSeq: 0,
            conflicts: expected,
          });
        }
      }
    },

    "a repetition does not take back what came after the first sending": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const first = holding(run, [taking("hook-1", "token-1")]);
      const freed = await write(world, first);
      const ends = finishing(freed, START, [releasing("hook-1")]);
      await write(world, ends);
      const next = await leasedRun(world);
      await write(world, holding(next, [taking("hook-2", "token-1")]));
      const before = await readStore(world);
      equal((await commitOne(world, ends)).outcome, "committed");
      same(await readStore(world), before, "the token stays with its new owner");
    },

    "a parking commit sent again does not put a wake-up off": async (stage) => {
      for (const events of [[stepCreated("step-1")], []]) {
        const world = await stage.open();
        const run = await leasedRun(world);
        const commit = parking(run, START + 5_000, events);
        await write(world, commit);
        await deliverOne(world, toRun(run.runId, `mail of ${run.runId}`), START + 1);
        const before = await rowOf(world, run.runId);
        same(await commitOne(world, commit, START + 2), {
          outcome: "committed",
          mailSeq: 1,
          endSeq: 0,
          conflicts: [],
        });
        same(await rowOf(world, run.runId), before);
      }
    },

    "what is consumed stays so, also when a commit that says less comes late": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      for (const id of ["m1", "m2", "m3"]) await deliverOne(world, toRun(run.runId, id));
      equal((await write(world, holding(run, [], { mailDone: 2 }))).mailDone, 2);
      equal((await write(world, holding(run, [], { mailDone: 1 }))).mailDone, 2);
      equal((await write(world, parking(run, null, [stepCreated("step-1")], { mailDone: 0 }))).mailDone, 2);
      deepEqual(
        (await claimOne(world))?.mail.map(({ messageId }) => messageId),
        ["m3"],
      );
    },

    "a commit sent again after another worker took over is fenced": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const commit = parking(run, START, [stepCreated("step-1")]);
      await write(world, commit);
      equal((await claimOne(world))?.run.epoch, 2);
      const before = await readStore(world);
      equal((await commitOne(world, commit)).outcome, "fenced");
      same(await readStore(world), before);
    },

    "two sendings at once, thirty times": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 30; round++) {
        const run = await leasedRun(world);
        const commit =
          round % 3 === 0
            ? holding(run, [stepCreated("step-1"), stepCreated("step-2")])
            : round % 3 === 1
              ? parking(run, START + 5_000, [stepCreated("step-1")])
              : finishing(run, START, [taking("hook-1", "token-1"), stepCreated("step-1")]);
        const answers = await Promise.all([world, other, world].map((sender) => commitOne(sender, commit)));
        for (const answer of answers)
          same(answer, { outcome: "committed", mailSeq: 0, endSeq: 0, conflicts: [] });
        equal((await journalOf(world, run.runId)).length, 1 + commit.events.length, `round ${round}`);
      }
    },

    "a batch sent again": async (stage) => {
      const world = await stage.open();
      const batch: RunCommit[] = [];
      for (let index = 0; index < 12; index++) {
        const run = await leasedRun(world);
        batch.push(index % 2 ? finishing(run) : parking(run, START + index, [stepCreated("step-1")]));
      }
      const first = await world.commit(batch, START);
      const before = await readStore(world);
      same(await (await stage.open()).commit(batch, START), first);
      same(await readStore(world), before);
    },
  },
};

/** Sends a commit from two Worlds, one after the other: the store is the same after both. */
async function twice(stage: Stage, commit: RunCommit): Promise<void> {
  const [world, other] = (await stage.openMany(2)) as [World, World];
  const first = await commitOne(world, commit);
  equal(first.outcome, "committed", "the first sending");
  const before = await readStore(world);
  same(await commitOne(other, commit), first, "the second sending");
  same(await readStore(world), before);
}
