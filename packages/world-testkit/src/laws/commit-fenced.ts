import { equal } from "node:assert/strict";
import type { CommitResult, RunCommit, RunRecord, World } from "@perdure/core/world";
import { claimOne, commitOne, deliverOne, journalOf, leasedRun, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  claiming,
  eventOf,
  finishing,
  holding,
  newRun,
  parking,
  releasing,
  START,
  stepCreated,
  TTL,
  taking,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

const EXPIRY = START + TTL;

/** Who lost the lease cannot write: not an event, not a token, not a field of the row. */
export const commitFenced: Law = {
  name: "commit-fenced",
  cases: {
    "an epoch that has moved on": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const run = await withHookAndMail(world);
      equal((await claimOne(other, { now: EXPIRY }))?.run.epoch, 2);
      await refused(world, run, { outcome: "fenced" });
      await refused(world, { ...run, epoch: 3 }, { outcome: "fenced" });
    },

    "an epoch that has moved on, after the new owner wrote": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const run = await withHookAndMail(world);
      const taken = await claimOne(other, { now: EXPIRY });
      if (taken === undefined) throw new Error("the run was not claimed");
      // As many events as the zombie would write: only the epoch tells them apart.
      const { events, run: patch } = everything(run);
      await write(other, holding(taken.run, events, { run: patch }), EXPIRY);
      await refused(world, run, { outcome: "fenced" });
      await refused(world, { ...run, seq: run.seq + 9 }, { outcome: "fenced" });
    },

    "another claim under the same epoch": async (stage) => {
      const world = await stage.open();
      const run = await withHookAndMail(world);
      await refused(world, { ...run, claimId: "a claim that the store has lost" }, { outcome: "fenced" });
    },

    "another claim's commit is no repetition, however alike it is": async (stage) => {
      const world = await stage.open();
      const run = await withHookAndMail(world);
      const events = [stepCreated("step-1")];
      await write(world, holding(run, events));
      const lost = { ...run, claimId: "a claim that the store has lost" };
      same(await commitOne(world, holding(lost, events)), { outcome: "fenced" });
      await write(world, parking({ ...run, seq: run.seq + 1 }, null, events));
      same(await commitOne(world, parking({ ...lost, seq: run.seq + 1 }, null, events)), {
        outcome: "fenced",
      });
    },

    "a lease that was released": async (stage) => {
      const world = await stage.open();
      const run = await withHookAndMail(world);
      const parked = await write(world, parking(run, START + 50, [stepCreated("step-1")], { mailDone: 1 }));
      await refused(world, parked, { outcome: "fenced" });
    },

    "a run that nobody has claimed": async (stage) => {
      const world = await stage.open();
      const request = newRun();
      await world.createRuns([request], START);
      await refused(world, await rowOf(world, request.runId), { outcome: "fenced" });
    },

    "a run that has ended": async (stage) => {
      const world = await stage.open();
      const run = await withHookAndMail(world);
      const ended = await write(world, finishing(run));
      await refused(world, ended, { outcome: "finished" });
      await refused(world, { ...ended, epoch: 7 }, { outcome: "finished" });
    },

    "a run that is not stored": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await refused(world, { ...run, runId: "wrun_unknown" }, { outcome: "finished" });
    },

    "a journal of another length": async (stage) => {
      const world = await stage.open();
      const run = await withHookAndMail(world);
      await write(
        world,
        holding(
          run,
          Array.from({ length: 9 }, (_, index) => stepCreated(`step-${index}`)),
        ),
      );
      const seq = run.seq + 9;
      await refused(world, { ...run, seq: seq - 1 }, { outcome: "out_of_step", seq });
      await refused(world, { ...run, seq: seq + 1 }, { outcome: "out_of_step", seq });
    },

    "a lease that ran out but was not claimed still commits": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const row = await write(world, holding(run, [stepCreated("step-1")]), EXPIRY + 500);
      equal(row.dueAt, EXPIRY + 500 + TTL);
      equal(await claimOne(await stage.open(), { now: EXPIRY + 500 }), undefined, "and is held again");
    },

    "a zombie's commit and a takeover race: it is in before the takeover or not at all": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 30; round++) {
        const run = await leasedRun(world);
        const commit = parking(run, EXPIRY + 9, [stepCreated("step-1")]);
        const early = round % 2 === 0 ? other.claim(claiming({ now: EXPIRY })) : undefined;
        const committing = commitOne(world, commit, EXPIRY);
        const takeover = early ?? other.claim(claiming({ now: EXPIRY }));
        const [result, { runs }] = await Promise.all([committing, takeover]);
        const [taken] = runs;
        if (result.outcome === "committed" && taken === undefined) {
          equal((await rowOf(world, run.runId)).dueAt, EXPIRY + 9, "parked before the claim");
        } else {
          equal(result.outcome, "fenced");
          same(taken?.events, await journalOf(world, run.runId), "nothing was added after the claim");
          equal(taken?.events.length, 1);
        }
        const row = await rowOf(world, run.runId);
        const owned = row.owner === null ? (await claimOne(other, { now: EXPIRY + 9 }))?.run : row;
        await write(other, finishing(owned ?? row));
      }
    },
  },
};

/** A held run with one live hook and one unread message. */
async function withHookAndMail(world: World): Promise<RunRecord> {
  const run = await leasedRun(world);
  await deliverOne(world, toRun(run.runId, `mail of ${run.runId}`));
  return write(world, holding(run, [taking("hook-kept", `kept by ${run.runId}`)]));
}

/** A commit that would change all that a commit can. */
function everything(run: Pick<RunRecord, "runId" | "epoch" | "claimId" | "seq" | "mailSeq">): RunCommit {
  const events = [
    stepCreated("step-z"),
    taking("hook-z", "token-z"),
    releasing("hook-kept"),
    eventOf("run_started", { data: bytesOf("zombie") }),
  ];
  return holding({ ...run, mailDone: run.mailSeq }, events, { run: { status: "running", startedAt: START } });
}

/** Every kind of commit gets this answer, and the store stays as it was. */
async function refused(world: World, run: RunRecord, answer: CommitResult): Promise<void> {
  const before = await readStore(world);
  const whole = everything(run);
  const ends = finishing({ ...run, mailDone: run.mailSeq }, EXPIRY, whole.events);
  for (const commit of [whole, { ...whole, lease: { type: "park", dueAt: EXPIRY + 1 } } as const, ends]) {
    same(await commitOne(world, commit, EXPIRY + 5), answer, `lease "${commit.lease.type}"`);
  }
  same(await readStore(world), before, "nothing was written");
}
