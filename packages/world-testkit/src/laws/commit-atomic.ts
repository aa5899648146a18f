import { deepEqual, equal } from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { CommitEvent, World } from "@perdure/core/world";
import {
  claimOne,
  commitOne,
  deliverOne,
  holderOf,
  journalOf,
  leasedRun,
  mailOf,
  rowOf,
  write,
} from "../acts.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  eventOf,
  finishing,
  holding,
  parking,
  START,
  stepCreated,
  TTL,
  taking,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** Each commit is one act, and a bad one spoils no other of its batch. */
export const commitAtomic: Law = {
  name: "commit-atomic",
  cases: {
    "all parts of a commit are there together": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await deliverOne(world, toRun(run.runId, "m1"));
      await deliverOne(world, toRun(run.runId, "m2"));
      const events = [
        eventOf("run_started", { at: START + 3 }),
        { ...stepCreated("step-1"), data: bytesOf("step arguments") },
        taking("hook-1", "token-1", { data: bytesOf("metadata") }),
      ];
      const commit = holding(run, events, {
        mailDone: 1,
        run: { status: "running", startedAt: START + 3 },
        lease: { type: "park", dueAt: START + 900 },
      });
      const result = await commitOne(world, { ...commit, lease: { type: "hold", ttl: 77_777 } }, START + 4);
      same(result, { outcome: "committed", mailSeq: 2, endSeq: 0, conflicts: [] });
      const other = await stage.open();
      same(await rowOf(other, run.runId), {
        ...run,
        status: "running",
        seq: 4,
        bytes: "step arguments".length + "metadata".length,
        mailSeq: 2,
        mailDone: 1,
        startedAt: START + 3,
        dueAt: START + 4 + 77_777,
      });
      const journal = await journalOf(other, run.runId);
      same(
        journal.slice(1),
        events.map(({ claim: _, ...event }: CommitEvent, index) => ({ ...event, seq: index + 2 })),
      );
      deepEqual(
        (await mailOf(other, run.runId)).map(({ messageId }) => messageId),
        ["m2"],
      );
      equal((await holderOf(other, "token-1"))?.runId, run.runId);
    },

    "a finished run has its result and is never due": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const output = bytesOf("the result");
      await write(
        world,
        finishing(run, START + 8, [], { run: { status: "completed", completedAt: START + 8, output } }),
      );
      const ended = {
        status: "completed",
        completedAt: START + 8,
        output,
        owner: null,
        dueAt: null,
      } as const;
      same(await rowOf(world, run.runId), { ...run, ...ended, seq: 2 });
      equal(await claimOne(world, { now: START + 1_000_000_000 }), undefined);
    },

    "fields that a commit does not name stay; `null` clears": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const error = bytesOf("a diff");
      const diverged = await write(
        world,
        holding(run, [stepCreated("step-1")], { run: { status: "diverged", error } }),
      );
      same(diverged, { ...run, seq: 2, status: "diverged", error });
      same(await write(world, holding(diverged, [stepCreated("step-2")])), { ...diverged, seq: 3 });
      const mended = holding({ ...run, seq: 3 }, [], { run: { status: "pending", error: null } });
      same(await write(world, mended), { ...run, seq: 3, status: "pending", error: null });
    },

    "the others of a batch are written when one cannot be": async (stage) => {
      const world = await stage.open();
      const runs = await Promise.all(Array.from({ length: 7 }, () => leasedRun(world)));
      const [fenced, stepless, ended] = [runs[1], runs[3], runs[5]];
      if (fenced === undefined || stepless === undefined || ended === undefined)
        throw new Error("unreachable");
      // By two events, so that the commit below is not taken for the one that ended it.
      await write(world, finishing(ended, START, [stepCreated("step-1")]));
      // The greatest run ids first: answers come in the order of the batch, not of the rows.
      const batch = runs.reverse().map((run) => holding(run, [stepCreated("step-1")]));
      const bad = new Map([
        [fenced.runId, { epoch: 9 }],
        [stepless.runId, { seq: 5 }],
      ]);
      const asked = batch.map((commit) => ({ ...commit, ...bad.get(commit.runId) }));
      asked.splice(
        2,
        0,
        holding({ runId: "wrun_unknown", epoch: 1, claimId: "claim", seq: 1, mailDone: 0 }, [
          stepCreated("x"),
        ]),
      );
      const results = await world.commit(asked, START);
      deepEqual(
        results.map(({ outcome }) => outcome),
        ["committed", "finished", "finished", "committed", "out_of_step", "committed", "fenced", "committed"],
      );
      for (const [index, { runId }] of asked.entries()) {
        const expected: number = runId === ended.runId ? 3 : results[index]?.outcome === "committed" ? 2 : 1;
        if (runId !== "wrun_unknown") equal((await journalOf(world, runId)).length, expected);
      }
    },

    "an empty batch is answered with nothing": async (stage) => {
      const world = await stage.open();
      deepEqual(await world.commit([], START), []);
      deepEqual(await world.createRuns([], START), []);
      deepEqual(await world.deliver([], START), []);
      deepEqual(await world.renew({ leases: [], ttl: TTL, now: START }), []);
    },

    "a reader never sees the row ahead of the journal": async (stage) => {
      const [world, reader] = (await stage.openMany(2)) as [World, World];
      const run = await leasedRun(world);
      let writing = true;
      const reading = async () => {
        while (writing) {
          const row = await rowOf(reader, run.runId);
          const journal = await journalOf(reader, run.runId);
          equal(journal.length >= row.seq, true, `${row.seq} events told, ${journal.length} found`);
          if (row.mailDone > 0) equal(row.seq > 1, true, "mail consumed without its event");
          await turn();
        }
      };
      const write40 = async () => {
        let row = run;
        for (let round = 0; round < 40; round++) {
          await deliverOne(world, toRun(run.runId, `m${round}`));
          const events = ["a", "b", "c"].map((part) => stepCreated(`${round}-${part}`));
          row = await write(world, holding(row, events, { mailDone: round + 1 }));
        }
        await write(world, parking(row, START));
      };
      await Promise.all([
        reading(),
        write40().finally(() => {
          writing = false;
        }),
      ]);
    },
  },
};
