import { deepEqual, equal, ok } from "node:assert/strict";
import type { HeldName, World } from "@perdure/core/world";
import { claimOne, createOne, deliverOne, holderOf, leasedRun, leaseIn, rowOf, write } from "../acts.ts";
import type { Law, Stage } from "../law.ts";
import { newRecord, readOne, WRITTEN, writeOne } from "../record-acts.ts";
import {
  claiming,
  finishing,
  firstClaim,
  holding,
  leaseOf,
  newRun,
  parking,
  START,
  stepCreated,
  toRun,
} from "../requests.ts";

/** `capabilities.ownClock`: callers whose clocks are wrong by months see one time, the store's. */
export const ownClock: Law = {
  name: "own-clock",
  cases: {
    "a claim tells it, whatever the caller's": async (stage) => {
      const world = await byOwnClock(stage);
      const told = [await timeOf(world, SLOW), await timeOf(world, FAST), await timeOf(world, SLOW)];
      ok(Math.max(...told) - Math.min(...told) < SLACK, `the times that claims told: ${told.join(", ")}`);
    },

    "when a new run is due is a distance from its starter's time": async (stage) => {
      const world = await byOwnClock(stage);
      for (const now of [SLOW, FAST]) {
        const run = newRun({ dueAt: now + HOUR });
        await createOne(world, run, now);
        await requireDue(world, run.runId, HOUR);
      }
      for (const now of [SLOW, FAST]) {
        equal(await claimOne(world, { now }), undefined, "nothing is due for an hour");
        const { nextDueAt } = await world.claim(claiming({ now }));
        ok(Math.abs((nextDueAt ?? 0) - (await timeOf(world)) - HOUR) < SLACK, "nextDueAt");
        const run = newRun({ dueAt: now });
        await createOne(world, run, now);
        const claimed = await claimOne(world, { now: now === SLOW ? FAST : SLOW, ttl: 2 * HOUR });
        equal(claimed?.run.runId, run.runId, "due at once for everybody");
        await requireDue(world, run.runId, 2 * HOUR);
      }
    },

    "leases run by it": async (stage) => {
      const world = await byOwnClock(stage);
      for (const now of [SLOW, FAST]) {
        const run = newRun({ lease: leaseOf("owner", HOUR) });
        await createOne(world, run, now);
        await requireDue(world, run.runId, HOUR);
        const row = await rowOf(world, run.runId);
        equal(await claimOne(world, { now: FAST }), undefined, "the lease has not run out");
        await world.renew({ leases: [leaseIn(row)], ttl: 2 * HOUR, now });
        await requireDue(world, run.runId, 2 * HOUR);
        await write(
          world,
          { ...holding(row, [stepCreated("step-1")]), lease: { type: "hold", ttl: 3 * HOUR } },
          now,
        );
        await requireDue(world, run.runId, 3 * HOUR);
      }
    },

    "a worker's wake-up is taken as it is, and mail makes a run due by the store's time": async (stage) => {
      const world = await byOwnClock(stage);
      for (const now of [SLOW, FAST]) {
        const dueAt = (await timeOf(world)) + HOUR;
        const run = await leasedRun(world, { lease: leaseOf("owner", HOUR) });
        const parked = await write(world, parking(run, dueAt, [stepCreated("step-1")]), now);
        equal(parked.dueAt, dueAt, "as the worker said");
        await deliverOne(world, toRun(run.runId, `m of ${run.runId}`), now);
        await requireDue(world, run.runId, 0);
        const held = (await world.claim(claiming({ runIds: [run.runId], ttl: HOUR }))).runs[0]?.run ?? parked;
        await write(world, parking(held, dueAt, [stepCreated("step-2")]), now);
        await requireDue(world, run.runId, 0);
      }
    },

    "names have their times by it": async (stage) => {
      const world = await byOwnClock(stage);
      for (const now of [SLOW, FAST]) {
        const names = [
          firstClaim(`free in an hour ${now}`, { keepFor: 0, freeAt: now + HOUR }),
          firstClaim(`kept for an hour ${now}`, { keepFor: HOUR }),
          firstClaim(`free since an hour ${now}`, { keepFor: 0, freeAt: now - HOUR }),
        ];
        const run = newRun({ names, lease: leaseOf("owner", HOUR) });
        await createOne(world, run, now);
        const completedAt = await timeOf(world);
        const ends = { run: { status: "completed", completedAt } } as const;
        await write(world, finishing(await rowOf(world, run.runId), completedAt, [], ends), now);
        for (const reader of [SLOW, FAST]) {
          const found = names.map(({ name }) => holderOf(world, name, reader));
          deepEqual((await Promise.all(found)).map(isHeld), [true, true, false], "getNames");
          const page = await world.listNames({ runId: run.runId, limit: 10, now: reader });
          equal(page.names.length, 2, "listNames");
          for (const { name } of names.slice(0, 2)) {
            const asks = newRun({ names: [firstClaim(name)] });
            equal((await createOne(world, asks, reader)).outcome, "held", name);
          }
        }
      }
    },

    "the ttl of a record counts by it": async (stage) => {
      const world = await byOwnClock(stage);
      for (const now of [SLOW, FAST]) {
        const key = `by ${now}`;
        deepEqual(await writeOne(world, newRecord(key, "1", HOUR), now), WRITTEN);
        for (const reader of [SLOW, FAST]) {
          const { ttl } = (await readOne(world, key, reader)) ?? {};
          ok(ttl && ttl <= HOUR && ttl > HOUR - SLACK, `what is left of the ttl: ${ttl}`);
          const other = await writeOne(world, newRecord(key, "2"), reader);
          equal(other.outcome, "conflict", "nobody writes over it before its time");
          const { records } = await world.listRecords({ prefix: key, limit: 10, now: reader });
          equal(records.length, 1, "listRecords");
        }
      }
    },
  },
};

const HOUR = 3_600_000;
/** How long a case may take. */
const SLACK = 120_000;
/** Callers whose clocks are wrong by far more than that. */
const SLOW = START - 1_000 * 24 * HOUR;
const FAST = START + 10_000 * 24 * HOUR;

async function byOwnClock(stage: Stage): Promise<World> {
  const world = await stage.openByOwnClock();
  if (world.capabilities.ownClock !== true) stage.skip("capabilities.ownClock is not true");
  return world;
}

/** The store's time. */
async function timeOf(world: World, now: number = START): Promise<number> {
  return (await world.claim(claiming({ queues: [], now }))).now;
}

/** Requires that a run is due so many milliseconds from the store's time; a lease may be a little longer than was asked for. */
async function requireDue(world: World, runId: string, distance: number): Promise<void> {
  const { dueAt } = await rowOf(world, runId);
  const off = (dueAt ?? Number.NaN) - (await timeOf(world)) - distance;
  ok(
    off > -SLACK && off < SLACK + distance / 8,
    `dueAt is ${off} ms off the store's time and ${distance} ms`,
  );
}

function isHeld(name: HeldName | null): boolean {
  return name !== null;
}
