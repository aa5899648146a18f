import { deepEqual, equal } from "node:assert/strict";
import { deleteOldRuns, type RunCommit, type RunRecord, type World } from "@perdure/core/world";
import {
  claimOne,
  commitOne,
  conflictsOf,
  createOne,
  deliverOne,
  endMailOf,
  holderOf,
  journalOf,
  leasedRun,
  leaseIn,
  only,
  rowOf,
  write,
} from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  BOB,
  bytesOf,
  claiming,
  finishing,
  firstClaim,
  holding,
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

const EXPIRY = START + TTL;

/** A run that has ended and has work left: its owner goes on, and for everybody else it has ended. */
export const afterEnd: Law = {
  name: "after-end",
  cases: {
    "the commit that ends a run may keep its lease, or park it until a time": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const output = bytesOf("the result");
      const ended = { status: "completed", completedAt: START, output } as const;
      const held = await write(world, holdingEnd(run, { run: ended }), START + 2);
      same(held, { ...run, ...ended, seq: 2, dueAt: START + 2 + TTL });
      const other = await leasedRun(world);
      const parked = await write(world, parkingEnd(other, START + 50));
      same([parked.owner, parked.dueAt, parked.status], [null, START + 50, "completed"]);
      for (const sent of [holdingEnd(run, { run: ended }), parkingEnd(other, START + 50)]) {
        const before = await readStore(world);
        equal((await commitOne(await stage.open(), sent, START + 9)).outcome, "committed", "sent again");
        same(await readStore(world), before);
      }
    },

    "it is claimed when it is due, by its queue and by its id": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await endedRun(world, START + 50), await endedRun(world, START + 60)];
      const claim = claiming({ now: START + 49, limit: 9 });
      same(await world.claim(claim), { runs: [], nextDueAt: START + 50, now: START + 49 });
      const byId = { queues: [], runIds: [two.runId, one.runId] };
      equal((await world.claim(claiming({ ...byId, now: START + 49 }))).nextDueAt, START + 50);
      const taken = await claimOne(world, { now: START + 50 });
      same(taken, {
        run: { ...one, epoch: 2, claimId: taken?.run.claimId, owner: BOB, dueAt: START + 50 + TTL },
        lost: false,
        lastClaimId: one.claimId,
        events: await journalOf(world, one.runId),
        mail: [],
        damage: null,
      });
      equal(await claimOne(world, { ...byId, now: START + 59 }), undefined);
      equal((await claimOne(world, { ...byId, now: START + 60 }))?.run.runId, two.runId);
    },

    "twelve claimers for one that is due, ten times: one has it": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 10; round++) {
        await endedRun(world, START);
        const claims = await Promise.all(
          Array.from({ length: 12 }, (_, index) => claimOne(worlds[index % 4] ?? world)),
        );
        equal(claims.filter((claimed) => claimed !== undefined).length, 1, `winners in round ${round}`);
      }
    },

    "its lease is renewed, runs out and is taken over like any other": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const ends = holdingEnd(await leasedRun(world));
      const run = await write(world, ends);
      const renewal = { leases: [leaseIn(run)], ttl: TTL, now: START + 5 };
      same(await world.renew(renewal), [{ outcome: "renewed", mailSeq: 0 }]);
      equal(await claimOne(other, { now: EXPIRY }), undefined);
      const taken = await claimOne(other, { now: EXPIRY + 5 });
      same([taken?.lost, taken?.run.epoch, taken?.run.lostClaims], [true, 2, 1]);
      same(await world.renew({ ...renewal, now: EXPIRY + 5 }), [{ outcome: "lost" }]);
      const before = await readStore(world);
      for (const commit of [holding(run), parking(run, null), ends]) {
        same(
          await commitOne(world, commit, EXPIRY + 6),
          { outcome: "finished" },
          "who lost it writes nothing",
        );
      }
      same(await readStore(world), before);
      const row = taken?.run ?? run;
      const reset = await write(other, parking(row, null, [], { run: { lostClaims: 0 } }), EXPIRY + 7);
      same([reset.owner, reset.dueAt, reset.lostClaims], [null, null, 0]);
      equal(await claimOne(world, { now: START + 1_000_000 }), undefined);
    },

    "its owner writes by commits without events, and by no others": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holdingEnd(await leasedRun(world)));
      const patch = { queue: "another", attributes: { done: "no" }, state: bytesOf("stopping") };
      const held = await write(world, holding(run, [], { run: patch }), START + 5);
      same(held, { ...run, ...patch, dueAt: START + 5 + TTL });
      const before = await readStore(world);
      const refusals: readonly (readonly [RunCommit, string])[] = [
        [holding(held, [stepCreated("step-1")]), "finished"],
        [parking(held, null, [taking("hook-1", "token-1")]), "finished"],
        [finishing(held), "finished"],
        [holding(held, [stepCreated("step-1")], { restart: true }), "finished"],
        [holding({ ...held, epoch: 7 }), "finished"],
        [holding({ ...held, claimId: "another" }), "finished"],
        [holding({ ...held, epoch: 7 }, [stepCreated("step-1")]), "finished"],
        [holding({ ...held, seq: 1 }), "out_of_step"],
      ];
      for (const [commit, outcome] of refusals) equal((await commitOne(world, commit)).outcome, outcome);
      same(await readStore(world), before);
      const parks = parking(held, START + 70);
      const parked = await write(world, parks, START + 6);
      same([parked.owner, parked.dueAt], [null, START + 70]);
      same(await write(world, parks, START + 80), parked, "sent again");
      equal((await commitOne(world, holding(parked, [stepCreated("step-1")]))).outcome, "finished");
    },

    "for everybody else it has ended": async (stage) => {
      const world = await stage.open();
      const names = [firstClaim("ends with it"), firstClaim("kept", { keepFor: 10 })];
      const runs = [
        await write(world, holdingEnd(await leasedRun(world, { names }))),
        await endedRun(world, START + 1_000_000),
      ];
      const before = await readStore(world);
      for (const { runId } of runs) {
        same(await deliverOne(world, toRun(runId, "m1")), { outcome: "finished", runId });
        same(await deliverOne(world, toRun(runId, "m2", { atEnd: true })), { outcome: "finished", runId });
        const runWithIt = { ...toRun(runId, "m3"), to: { runId, id: "step-1" } };
        same(await deliverOne(world, runWithIt), { outcome: "finished", runId });
      }
      same(await deliverOne(world, toName("ends with it", "m4")), { outcome: "no_such_name" });
      same(await deliverOne(world, toName("kept", "m5")), { outcome: "finished", runId: runs[0]?.runId });
      same(await readStore(world), before);
      equal(await holderOf(world, "ends with it"), null);
      equal((await holderOf(world, "kept", START + 9))?.runId, runs[0]?.runId);
      equal(await holderOf(world, "kept", START + 10), null);
      const next = await leasedRun(world);
      same(conflictsOf(await commitOne(world, holding(next, [taking("hook-1", "ends with it")]))), []);
      equal((await createOne(world, newRun({ names: [firstClaim("kept")] }), START + 10)).outcome, "created");
      const passing = newRun({ names: [firstClaim("kept", { from: runs[0]?.runId ?? "" })] });
      equal((await createOne(world, passing, START)).outcome, "held", "it is another's by now");
    },

    "a name passes from it to another run": async (stage) => {
      const world = await stage.open();
      const names = [firstClaim("a", { keepFor: null })];
      const run = await write(world, holdingEnd(await leasedRun(world, { names })));
      const next = newRun({ names: [firstClaim("a", { from: run.runId })] });
      equal((await createOne(world, next)).outcome, "created");
      equal((await holderOf(world, "a"))?.runId, next.runId);
      same(await rowOf(world, run.runId), run);
    },

    "it is not deleted before its work is done": async (stage) => {
      const world = await stage.open();
      const held = await write(world, holdingEnd(await leasedRun(world)));
      const parked = await endedRun(world, START + 50);
      const over = await leasedRun(world);
      await deliverOne(world, toRun(over.runId, "e1", { atEnd: true }));
      await write(world, finishing(over));
      const ids = [held, parked, over].map(({ runId }) => runId);
      const before = await world.getRuns(ids);
      equal(await world.deleteRuns(ids), 0);
      equal(await deleteOldRuns(world, START + 1_000_000), 0);
      same(await world.getRuns(ids), before);
      equal((await endMailOf(world, over.runId)).length, 1);
      equal(await world.countRuns({ completedBefore: START + 1 }), 3, "it is listed as ended");
      await write(world, parking(held, null));
      equal(await world.deleteRuns(ids), 1);
      const { runs } = await world.claim(claiming({ now: START + 50, limit: 9 }));
      deepEqual(
        runs.map(({ run }) => run.runId),
        [over.runId, parked.runId],
      );
      for (const { run } of runs)
        await write(world, parking(run, null, [], { run: { endDone: run.endSeq } }));
      equal(await deleteOldRuns(world, START + 1_000_000), 2);
      same(await world.getRuns(ids), [null, null, null]);
    },

    "a run that ends over unread mail is due at once, with the mail": async (stage) => {
      const world = await stage.open();
      for (const dueAt of [null, START + 9_000]) {
        const run = await leasedRun(world);
        for (const id of ["1", "2"]) await deliverOne(world, toRun(run.runId, `${id} of ${run.runId}`));
        const ended = await write(world, { ...parkingEnd(run, dueAt), mailDone: 1 }, START + 3);
        equal(ended.dueAt, START + 3);
        const claimed = await claimOne(world, { now: START + 3 });
        equal(only(claimed?.mail ?? []).messageId, `2 of ${run.runId}`);
        const done = await write(world, parking(claimed?.run ?? run, null, [], { mailDone: 2 }));
        same([done.dueAt, done.mailDone], [null, 2]);
      }
    },

    "a delivery and the end race: the run is due with the mail, or the sender hears of the end": async (
      stage,
    ) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 60; round++) {
        const name = `name-${round}`;
        const run = await leasedRun(world, { names: [firstClaim(name)] });
        const byName = round % 3 === 0;
        const message = byName ? toName(name, `m${round}`) : toRun(run.runId, `m${round}`);
        const acts = [
          () => deliverOne(other, message, EXPIRY),
          () => commitOne(world, parkingEnd(run, round % 4 < 2 ? null : EXPIRY + 9), EXPIRY),
        ];
        if (round % 2) acts.reverse();
        const outcomes = (await Promise.all(acts.map((act) => act()))).map(({ outcome }) => outcome);
        const row = await rowOf(world, run.runId);
        const refused = byName ? "no_such_name" : "finished";
        const delivered = outcomes.includes("delivered");
        deepEqual(outcomes.sort(), ["committed", delivered ? "delivered" : refused], `round ${round}`);
        const asked = round % 4 < 2 ? null : EXPIRY + 9;
        same([row.mailSeq, row.dueAt], delivered ? [1, EXPIRY] : [0, asked], `round ${round}`);
      }
    },

    "the end and a claim race at the expiry: the end is in before the claim or not at all": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 30; round++) {
        const run = await leasedRun(world);
        const acts = [
          () => commitOne(world, round % 3 ? parkingEnd(run, EXPIRY) : holdingEnd(run), EXPIRY),
          () => other.claim(claiming({ now: EXPIRY })),
        ] as const;
        const [result, { runs }] = await (round % 2
          ? Promise.all([acts[0](), acts[1]()])
          : Promise.all([acts[1](), acts[0]()]).then(([claim, commit]) => [commit, claim] as const));
        const [taken] = runs;
        if (result.outcome === "committed") {
          same(taken?.run.status ?? "completed", "completed", `round ${round}`);
        } else {
          same([result.outcome, taken?.run.status, taken?.run.epoch], ["fenced", "pending", 2]);
        }
        const row = await rowOf(world, run.runId);
        if (row.status === "pending") await write(other, finishing(row));
        else if (row.owner !== null) await write(other, parking(row, null));
        else await write(other, parking((await claimOne(other, { now: EXPIRY }))?.run ?? row, null));
      }
    },
  },
};

/** A commit that ends the run and keeps its lease. */
function holdingEnd(run: RunRecord, change: Partial<RunCommit> = {}): RunCommit {
  return finishing(run, START, [], { lease: { type: "hold", ttl: TTL }, ...change });
}

/** A commit that ends the run and parks it. */
function parkingEnd(run: RunRecord, dueAt: number | null): RunCommit {
  return finishing(run, START, [], { lease: { type: "park", dueAt } });
}

/** A run that has ended and is due at a time. */
async function endedRun(world: World, dueAt: number): Promise<RunRecord> {
  return write(world, parkingEnd(await leasedRun(world), dueAt));
}
