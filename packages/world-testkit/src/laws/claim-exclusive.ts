import { deepEqual, equal, ok } from "node:assert/strict";
import type { World } from "@perdure/core/world";
import { claimOne, deliverOne, journalOf, leasedRun, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  BOB,
  bytesOf,
  claiming,
  eventOf,
  finishing,
  holding,
  leaseOf,
  newRun,
  parking,
  START,
  stepCreated,
  TTL,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** `claim`: one winner for each due run, in the order of the queue, with all that it needs to go on. */
export const claimExclusive: Law = {
  name: "claim-exclusive",
  cases: {
    "twelve claimers on four Worlds: each run has one winner": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const batch = Array.from({ length: 60 }, () => newRun());
      await world.createRuns(batch, START);
      const claimers = Array.from({ length: 12 }, (_, index) => worlds[index % 4] ?? world);
      const taken = await Promise.all(
        claimers.map(async (claimer, index) => {
          const runIds: string[] = [];
          for (;;) {
            const { runs } = await claimer.claim(
              claiming({ owner: `worker-${index}`, limit: 1 + (index % 7) }),
            );
            if (runs.length === 0) return runIds;
            for (const { run } of runs) equal(run.owner, `worker-${index}`);
            runIds.push(...runs.map(({ run }) => run.runId));
          }
        }),
      );
      deepEqual(taken.flat().sort(), batch.map(({ runId }) => runId).sort());
      for (const row of await world.getRuns(batch.map(({ runId }) => runId))) equal(row?.epoch, 1, "epoch");
    },

    "a claim of no workflows takes nothing, and tells the time": async (stage) => {
      const world = await stage.open();
      await world.createRuns([newRun()], START);
      const { runs, nextDueAt, now } = await world.claim(claiming({ queues: [] }));
      deepEqual({ runs, nextDueAt }, { runs: [], nextDueAt: null });
      const other = await world.claim(claiming({ limit: 0 }));
      ok(Math.abs(other.now - now) < 60_000, `${now}, and a moment later ${other.now}`);
    },

    "twelve claimers for one run, twenty times: one winner": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 20; round++) {
        await world.createRuns([newRun()], START);
        const claims = await Promise.all(
          Array.from({ length: 12 }, (_, index) => (worlds[index % 4] ?? world).claim(claiming())),
        );
        equal(claims.flatMap(({ runs }) => runs).length, 1, `winners in round ${round}`);
      }
    },

    "a claim adds one to the epoch and holds the run for its lease": async (stage) => {
      const world = await stage.open();
      const request = newRun({ dueAt: START - 3 });
      await world.createRuns([request], START);
      const { runs, now } = await world.claim(claiming({ owner: BOB, ttl: 4_000, now: START + 5 }));
      equal(now, START + 5);
      const [row] = await world.getRuns([request.runId]);
      const events = await journalOf(world, request.runId);
      same(runs, [{ run: row, lost: false, lastClaimId: null, events, mail: [], damage: null }]);
      const { epoch, owner, dueAt } = runs[0]?.run ?? {};
      same({ epoch, owner, dueAt }, { epoch: 1, owner: BOB, dueAt: START + 4_005 });
    },

    "only due runs, up to the limit": async (stage) => {
      const world = await stage.open();
      const [mine, second] = [newRun(), newRun({ dueAt: START - 1 })];
      const later = newRun({ dueAt: START + 1 });
      await world.createRuns([later, newRun({ lease: leaseOf() }), mine, second], START);
      await write(world, finishing(await leasedRun(world)));
      const claim = async (limit: number, now: number) => {
        const { runs } = await world.claim(claiming({ limit, now }));
        return runs.map(({ run }) => run.runId);
      };
      deepEqual(await claim(0, START), []);
      deepEqual(await claim(1, START), [second.runId], "the longest due first");
      deepEqual(await claim(10, START), [mine.runId]);
      deepEqual(await claim(10, START + 1), [later.runId], "due at exactly its time");
    },

    "a claimer that has the journal gets none": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const parked = await write(world, parking(run, START, [stepCreated("step-1")]));
      const cached = new Map([[run.runId, { claimId: run.claimId ?? "", seq: 2 }]]);
      const mine = await claimOne(world, { cached });
      if (mine === undefined) throw new Error("the run was not claimed");
      same([mine.lastClaimId, mine.run.epoch, mine.run.seq, mine.events], [run.claimId, 2, 2, []]);
      await write(world, parking({ ...parked, ...mine.run }, START, [stepCreated("step-2")]));
      const stale = await claimOne(world, { cached });
      same(stale?.events, await journalOf(world, run.runId), "somebody wrote in between");
      same([stale?.lastClaimId, stale?.events.length], [mine.run.claimId, 3]);
    },

    "a copy of another length, or of another claim, is not taken for the journal": async (stage) => {
      const world = await stage.open();
      for (const wrong of [{ seq: 1 }, { seq: 3 }, { claimId: "another claim" }]) {
        const run = await leasedRun(world);
        await write(world, parking(run, START, [stepCreated("step-1")]));
        const cached = new Map([[run.runId, { claimId: run.claimId ?? "", seq: 2, ...wrong }]]);
        const claimed = await claimOne(world, { cached });
        same([claimed?.lastClaimId, claimed?.events.length], [run.claimId, 2], JSON.stringify(wrong));
      }
    },

    "a claim stops when it has taken enough bytes of journal, and takes one run at least": async (stage) => {
      const world = await stage.open();
      const runs = Array.from({ length: 5 }, (_, index) =>
        newRun({
          dueAt: START - 5 + index,
          events: [eventOf("run_created", { data: new Uint8Array(1_000) })],
        }),
      );
      await world.createRuns(runs, START);
      const take = async (byteLimit: number) =>
        (await world.claim(claiming({ limit: 5, byteLimit }))).runs.map(({ run }) => run.runId);
      same(
        await take(1_500),
        [runs[0]?.runId, runs[1]?.runId],
        "the second run goes beyond the limit, the third would begin there",
      );
      same(await take(0), [runs[2]?.runId]);
      equal((await take(1_000_000)).length, 2);
    },

    "the row tells the size of the journal": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, { events: [eventOf("run_created", { data: new Uint8Array(300) })] });
      equal(run.bytes, 300);
      const commit = holding(run, [
        stepCreated("step-1"),
        eventOf("step_completed", { id: "step-1", data: new Uint8Array(41) }),
      ]);
      equal((await write(world, commit)).bytes, 341);
      equal((await write(world, commit)).bytes, 341, "a repetition adds nothing");
      equal((await claimOne(world, { now: START + TTL }))?.run.bytes, 341);
    },

    "a long journal comes in pages": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await write(
        world,
        parking(
          run,
          START,
          Array.from({ length: 24 }, (_, index) => stepCreated(`step-${index}`)),
        ),
      );
      const claimed = await claimOne(world, { eventLimit: 10 });
      const whole = await journalOf(world, run.runId);
      equal(claimed?.run.seq, 25);
      same(claimed?.events, whole.slice(0, 10));
      same(await world.listEvents(run.runId, 10, 10), whole.slice(10, 20));
      same(await world.listEvents(run.runId, 20, 10), whole.slice(20));
    },

    "a claim brings the mail that is not consumed": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      for (const id of ["m1", "m2", "m3", "m4"])
        await deliverOne(world, toRun(run.runId, id, { data: bytesOf(id) }));
      await write(world, parking(run, START, [stepCreated("step-1")], { mailDone: 2 }));
      const claimed = await claimOne(world);
      const mail = (mailSeq: number, messageId: string) =>
        ({ mailSeq, messageId, type: "wake", id: null, at: START, data: bytesOf(messageId) }) as const;
      same(claimed?.mail, [mail(3, "m3"), mail(4, "m4")]);
      equal(claimed?.run.mailDone, 2);
    },

    "a journal stays whole while claims and commits race": async (stage) => {
      const worlds = await stage.openMany(3);
      const [world] = worlds as [World];
      await world.createRuns(
        Array.from({ length: 6 }, () => newRun()),
        START,
      );
      await Promise.all(
        Array.from({ length: 6 }, async (_, index) => {
          const mine = worlds[index % 3] ?? world;
          for (let turn = 0; turn < 20; turn++) {
            const claimed = await claimOne(mine, { owner: `worker-${index}` });
            if (claimed === undefined) continue;
            equal(claimed.events.length, claimed.run.seq, "the journal that came with the claim");
            const held = await write(mine, holding(claimed.run, [stepCreated(`${index}-${turn}-a`)]));
            await write(mine, parking(held, START, [stepCreated(`${index}-${turn}-b`)]));
          }
        }),
      );
    },
  },
};
