import { deepEqual, equal } from "node:assert/strict";
import type { Lease, RunRecord, World } from "@perdure/core/world";
import { claimOne, deliverOne, leasedRun, leaseIn, only, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  ALICE,
  BOB,
  claiming,
  finishing,
  holding,
  newRun,
  parking,
  START,
  stepCreated,
  TTL,
  taking,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

const EXPIRY = START + TTL;

/** Leases: their end, their renewal, and who takes a run over. */
export const leaseTakeover: Law = {
  name: "lease-takeover",
  cases: {
    "a lease that ran out is taken over, and marked as lost": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const run = await leasedRun(world);
      equal(await claimOne(other, { now: EXPIRY - 1 }), undefined);
      const { owner, dueAt } = await rowOf(other, run.runId);
      same({ owner, dueAt }, { owner: ALICE, dueAt: EXPIRY }, "an expired lease names its owner until then");
      const taken = await claimOne(other, { now: EXPIRY });
      same([taken?.lost, taken?.run.epoch, taken?.run.owner], [true, 2, BOB]);
      const again = await claimOne(world, { now: EXPIRY + TTL });
      same([again?.lost, again?.run.epoch], [true, 3]);
    },

    "lost claims are counted until a commit says that the run has made progress": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      equal(run.lostClaims, 0);
      let now = START;
      const lose = async () => {
        now += TTL;
        return (await claimOne(world, { now }))?.run;
      };
      equal((await lose())?.lostClaims, 1);
      const second = await lose();
      if (second === undefined) throw new Error("the run was not claimed");
      equal(second.lostClaims, 2);
      equal(
        (await write(world, holding(second, [stepCreated("step-1")]), now)).lostClaims,
        2,
        "events alone do not count",
      );
      const third = await lose();
      if (third === undefined) throw new Error("the run was not claimed");
      equal(third.lostClaims, 3);
      const parked = await write(
        world,
        parking(third, now, [stepCreated("step-2")], { run: { lostClaims: 0 } }),
        now,
      );
      equal(parked.lostClaims, 0);
      equal((await claimOne(world, { now }))?.run.lostClaims, 0, "a lease that was given back is not lost");
      equal((await lose())?.lostClaims, 1);
    },

    "a run that nobody held is not lost": async (stage) => {
      const world = await stage.open();
      await world.createRuns([newRun()], START);
      const first = await claimOne(world);
      if (first === undefined) throw new Error("the run was not claimed");
      equal(first.lost, false, "the first claim");
      await write(world, parking(first.run, START, [stepCreated("step-1")]));
      equal((await claimOne(world))?.lost, false, "after a release");
    },

    "a worker may claim its own run again when the lease ran out": async (stage) => {
      const world = await stage.open();
      await leasedRun(world);
      const again = await claimOne(world, { owner: ALICE, now: EXPIRY });
      same([again?.lost, again?.run.epoch, again?.run.owner], [true, 2, ALICE]);
    },

    "twelve workers for one expired lease, twenty times: one takes over": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 20; round++) {
        const run = await leasedRun(world);
        const claims = await Promise.all(
          Array.from({ length: 12 }, (_, index) => claimOne(worlds[index % 4] ?? world, { now: EXPIRY })),
        );
        equal(claims.filter((claimed) => claimed !== undefined).length, 1, `winners in round ${round}`);
        await write(world, finishing(await rowOf(world, run.runId)));
      }
    },

    "a renewed lease runs out later": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const run = await leasedRun(world);
      same(await renewOne(world, run, EXPIRY - 1), { outcome: "renewed", mailSeq: 0 });
      same(await renewOne(world, run, EXPIRY - 1), { outcome: "renewed", mailSeq: 0 }, "safe to repeat");
      equal(await claimOne(other, { now: EXPIRY }), undefined);
      equal((await rowOf(world, run.runId)).dueAt, EXPIRY - 1 + TTL);
      equal((await claimOne(other, { now: EXPIRY - 1 + TTL }))?.lost, true);
    },

    "renewing never shortens a lease": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      same(await renewOne(world, run, START, 10), { outcome: "renewed", mailSeq: 0 });
      equal((await rowOf(world, run.runId)).dueAt, EXPIRY);
    },

    "a commit that is slower than a renewal sent after it does not shorten the lease": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      same(await renewOne(world, run, START + 90), { outcome: "renewed", mailSeq: 0 });
      await write(world, holding(run, [stepCreated("step-1")]), START + 1);
      equal((await rowOf(world, run.runId)).dueAt, EXPIRY + 90);
    },

    "a lease that ran out but was not claimed is renewed": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      same(await renewOne(world, run, EXPIRY + 50), { outcome: "renewed", mailSeq: 0 });
      equal(await claimOne(await stage.open(), { now: EXPIRY + 51 }), undefined);
    },

    "a lease that is gone is not renewed, and nothing is written": async (stage) => {
      const world = await stage.open();
      const taken = await leasedRun(world);
      await claimOne(world, { now: EXPIRY });
      const released = await leasedRun(world);
      await write(world, parking(released, null, [taking("hook-1", "token-1")]));
      const ended = await leasedRun(world);
      await write(world, finishing(ended));
      const never = newRun({ dueAt: START + 1_000_000 });
      await world.createRuns([never], START);
      const other = await leasedRun(world);
      const leases: Lease[] = [
        leaseIn(taken),
        leaseIn(released),
        leaseIn(ended),
        { runId: never.runId, epoch: 0, claimId: "claim" },
        { runId: "unknown", epoch: 1, claimId: "claim" },
        { ...leaseIn(other), claimId: "a claim that the store has lost" },
      ];
      const ids = leases.map(({ runId }) => runId);
      const before = await world.getRuns(ids);
      const results = await world.renew({ leases, ttl: 5 * TTL, now: EXPIRY + 1 });
      deepEqual(
        results.map(({ outcome }) => outcome),
        ["lost", "lost", "lost", "lost", "lost", "lost"],
      );
      same(await world.getRuns(ids), before);
    },

    "renewals answer in order, each with its run's mail": async (stage) => {
      const world = await stage.open();
      const [first, second] = [await leasedRun(world), await leasedRun(world)];
      await deliverOne(world, toRun(second.runId, "m1"));
      await deliverOne(world, toRun(second.runId, "m2"));
      const leases = [leaseIn(second), { runId: "unknown", epoch: 1, claimId: "claim" }, leaseIn(first)];
      same(await world.renew({ leases, ttl: TTL, now: START + 1 }), [
        { outcome: "renewed", mailSeq: 2 },
        { outcome: "lost" },
        { outcome: "renewed", mailSeq: 0 },
      ]);
    },

    "renewal and takeover race at the expiry: one of them wins": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 30; round++) {
        const run = await leasedRun(world);
        const acts = [
          () => renewOne(world, run, EXPIRY),
          () => other.claim(claiming({ now: EXPIRY, limit: 1 })),
        ] as const;
        const inOrder = round % 2 === 0;
        const first = inOrder ? acts[0]() : acts[1]();
        const second = inOrder ? acts[1]() : acts[0]();
        await Promise.all([first, second]);
        const row = await rowOf(world, run.runId);
        const renewed = (await (inOrder ? first : second)) as { outcome: string };
        equal(row.epoch, renewed.outcome === "renewed" ? 1 : 2, `round ${round}: ${renewed.outcome}`);
        await write(world, finishing(row));
      }
    },
  },
};

async function renewOne(world: World, run: RunRecord, now: number, ttl: number = TTL) {
  return only(await world.renew({ leases: [leaseIn(run)], ttl, now }));
}
