import { deepEqual, equal } from "node:assert/strict";
import type { ClaimRequest, World } from "@perdure/core/world";
import { deliverOne, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  ALICE,
  claiming,
  finishing,
  holding,
  leaseOf,
  newRun,
  parking,
  START,
  TTL,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** Queues: who is served from which, in whose order, and when the next of them is due. */
export const queues: Law = {
  name: "queues",
  cases: {
    "a claim takes runs of its queues only, whatever their workflow": async (stage) => {
      const world = await stage.open();
      const mine = newRun({ queue: "mine", workflow: "others" });
      const others = Array.from({ length: 20 }, () =>
        newRun({ queue: "others", workflow: "mine", dueAt: START - 9 }),
      );
      await world.createRuns([...others, mine], START);
      deepEqual(await claimedFrom(world, { queues: [] }), []);
      deepEqual(await claimedFrom(world, { queues: ["unknown"] }), []);
      deepEqual(await claimedFrom(world, { queues: ["mine", "unknown", "mine"] }), [mine.runId]);
      equal((await rowOf(world, mine.runId)).queue, "mine");
    },

    "runs of the first queue first, and of each queue the longest due": async (stage) => {
      const world = await stage.open();
      const dues = [7, 3, 9, 1, 5, 8, 2, 6, 4];
      const batch = dues.map((due) => newRun({ queue: due % 2 ? "odd" : "even", dueAt: START - due }));
      await world.createRuns(batch, START);
      const dueOf = new Map(batch.map(({ runId }, index) => [runId, dues[index]]));
      const claim = async (order: readonly string[], limit: number) =>
        (await claimedFrom(world, { queues: order, limit })).map((runId) => dueOf.get(runId)).sort();
      deepEqual(await claim(["odd", "even"], 2), [7, 9]);
      deepEqual(await claim(["even", "odd"], 1), [8]);
      deepEqual(await claim(["even", "none", "odd"], 5), [2, 4, 5, 6, 3].sort());
      deepEqual(await claim(["odd", "even"], 100), [1]);
      deepEqual(await claim(["odd", "even"], 100), []);
    },

    "a claim tells when the next run of all its queues is due": async (stage) => {
      const world = await stage.open();
      const next = async (limit: number, names = ["mine", "second"]) =>
        (await world.claim(claiming({ queues: names, limit, now: START }))).nextDueAt;
      equal(await next(5), null);
      await world.createRuns([newRun({ queue: "others", dueAt: START - 9 })], START);
      equal(await next(5), null, "runs of other queues do not count");
      const dues = [START - 2, START - 1, START + 50, START + 90];
      await world.createRuns(
        [
          ...dues.map((dueAt) => newRun({ queue: "mine", dueAt })),
          newRun({ queue: "second", dueAt: START - 3 }),
        ],
        START,
      );
      equal(await next(1), START - 3, "what the limit left in the second queue is due already");
      equal(await next(1), START - 3);
      equal(await next(5), START + 50, "the earliest that is not due yet");
      await world.createRuns([newRun({ queue: "second", dueAt: START + 40 })], START);
      equal(await next(5), START + 40);
      await leasedRun(world, { queue: "mine", lease: leaseOf(ALICE, 10) });
      equal(await next(5), START + 10, "the expiry of another's lease");
      equal(await next(0), START + 10);
    },

    "a claim by run ids takes those that are due, from whatever queue": async (stage) => {
      const world = await stage.open();
      const [one, two, three] = [
        newRun({ queue: "a", dueAt: START - 1 }),
        newRun({ queue: "b" }),
        newRun({ queue: "a" }),
      ];
      const later = newRun({ queue: "b", dueAt: START + 70 });
      await world.createRuns([one, two, three, later], START);
      const held = await leasedRun(world, { queue: "a" });
      const ended = await write(world, finishing(await leasedRun(world, { queue: "a" })));
      const runIds = [later, two, held, ended, one].map(({ runId }) => runId);
      const first = await world.claim(
        claiming({ queues: ["a"], runIds: [...runIds, "wrun_unknown", two.runId], limit: 1 }),
      );
      deepEqual(idsOf(first), [one.runId], "the longest due first");
      equal(first.nextDueAt, START);
      const rest = await world.claim(claiming({ queues: [], runIds, limit: 10 }));
      deepEqual(idsOf(rest), [two.runId]);
      equal(rest.nextDueAt, Math.min(START + 70, START + TTL));
      deepEqual(idsOf(await world.claim(claiming({ queues: ["a"], runIds: [], limit: 10 }))), []);
      deepEqual(await claimedFrom(world, { queues: ["a", "b"] }), [three.runId]);
    },

    "a commit puts a run into another queue": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, { queue: "first" });
      const moved = await write(world, holding(run, [], { run: { queue: "second" } }));
      same(moved, { ...run, queue: "second", dueAt: moved.dueAt });
      equal(moved.dueAt, START + TTL, "the lease goes with it");
      const leases = [{ runId: run.runId, epoch: 1, claimId: run.claimId ?? "" }];
      same(await world.renew({ leases, ttl: 2 * TTL, now: START }), [{ outcome: "renewed", mailSeq: 0 }]);
      deepEqual(await claimedFrom(world, { queues: ["first"], now: START + 3 * TTL }), []);
      const parked = await write(world, parking(moved, START + 5, [], { run: { queue: "third" } }));
      deepEqual(await claimedFrom(world, { queues: ["first", "second"], now: START + 3 * TTL }), []);
      deepEqual(await claimedFrom(world, { queues: ["third"], now: START + 4 }), []);
      deepEqual(await claimedFrom(world, { queues: ["third"], now: START + 5 }), [parked.runId]);
      const row = await rowOf(world, run.runId);
      await write(world, parking(row, null, [], { run: { queue: "fourth" } }), START + 6);
      await deliverOne(world, toRun(run.runId, "m1"), START + 7);
      deepEqual(await claimedFrom(world, { queues: ["third"], now: START + 100 * TTL }), []);
      deepEqual(await claimedFrom(world, { queues: ["fourth"], now: START + 7 }), [run.runId]);
      equal((await rowOf(world, run.runId)).workflow, run.workflow);
    },

    "the end of a run takes it out of its queue": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, { queue: "first" });
      const ends = finishing(run);
      await write(world, { ...ends, run: { ...ends.run, queue: "second" } });
      const all = { queues: ["first", "second"], now: START + 100 * TTL };
      same((await world.claim(claiming(all))).nextDueAt, null);
      deepEqual(await claimedFrom(world, all), []);
    },
  },
};

async function claimedFrom(world: World, change: Partial<ClaimRequest>): Promise<string[]> {
  return idsOf(await world.claim(claiming({ limit: 10, ...change })));
}

function idsOf({ runs }: Awaited<ReturnType<World["claim"]>>): string[] {
  return runs.map(({ run }) => run.runId);
}
