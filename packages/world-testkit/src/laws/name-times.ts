import { deepEqual, equal } from "node:assert/strict";
import { isTerminal, type NameClaim, type RunRecord, type World } from "@perdure/core/world";
import { commitOne, conflictsOf, createOne, deliverOne, holderOf, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  eventOf,
  finishing,
  firstClaim,
  holding,
  leaseOf,
  newRun,
  START,
  TTL,
  taking,
  toName,
} from "../requests.ts";
import { same } from "../same.ts";

/** When the runs of these cases end. */
const END = START + 500;

/** How long a name is its run's: as long as the run goes on, and after its end until exactly the time that was asked for. */
export const nameTimes: Law = {
  name: "name-times",
  cases: {
    "a name is free at exactly its time, for claims and readers alike": async (stage) => {
      const world = await stage.open();
      const times: readonly (readonly [Partial<NameClaim>, number | null])[] = [
        [{ keepFor: 1_000 }, END + 1_000],
        [{ keepFor: 1 }, END + 1],
        [{ freeAt: END + 700 }, END + 700],
        [{ keepFor: 1_000, freeAt: END + 1_001 }, END + 1_001],
        [{ keepFor: 1_000, freeAt: END + 999 }, END + 1_000],
        [{ keepFor: 1_000, freeAt: START - 1_000 }, END + 1_000],
        [{ keepFor: null }, null],
        [{ keepFor: null, freeAt: END + 5 }, null],
      ];
      for (const [index, [claim, freeAt]] of times.entries()) {
        for (const how of ["start", "commit"] as const) {
          const name = `${how}-${index}`;
          const ended = await endedRun(world, name, claim, how);
          const what = `${how}, ${JSON.stringify(claim)}`;
          const last = freeAt === null ? START + 1_000_000_000_000 : freeAt - 1;
          for (const now of [END, last]) await requireHeld(world, name, ended, now, what);
          if (freeAt !== null) await requireFree(world, name, freeAt, what, index % 2 ? "start" : "commit");
        }
      }
    },

    "a name without times ends with its run, whatever the clocks say": async (stage) => {
      const world = await stage.open();
      for (const [index, at] of [END, START + 1_000_000].entries()) {
        for (const how of ["start", "commit"] as const) {
          const name = `${how}-${index}`;
          await endedRun(world, name, {}, how, at);
          await requireFree(world, name, START, name, index % 2 ? "start" : "commit");
        }
      }
    },

    "a run that has not ended has its names beyond every time": async (stage) => {
      const world = await stage.open();
      const claim = { keepFor: 5, freeAt: START + 5 };
      const first = await leasedRun(world, { names: [firstClaim("order-1", claim)] });
      const run = await write(world, holding(first, [taking("hook-1", "token-1", claim)]));
      const now = START + 1_000_000_000;
      for (const name of ["order-1", "token-1"]) await requireHeld(world, name, run, now, name);
      await write(world, finishing(run, now - 5));
      for (const name of ["order-1", "token-1"]) equal(await holderOf(world, name, now), null);
      equal((await holderOf(world, "order-1", now - 1))?.runId, run.runId);
    },

    "a name that the ending commit takes has its times too": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const events = [taking("hook-1", "a"), taking("hook-2", "b", { keepFor: 10 })];
      await write(world, finishing(run, END, events));
      deepEqual(await holdersOf(world, ["a", "b"], END + 9), [null, run.runId]);
      deepEqual(await holdersOf(world, ["a", "b"], END + 10), [null, null]);
    },

    "failed and cancelled runs free their names too": async (stage) => {
      const world = await stage.open();
      for (const status of ["failed", "cancelled"] as const) {
        const run = await leasedRun(world, { names: [firstClaim(status, { keepFor: 10 })] });
        const ends = holding(run, [eventOf(`run_${status}`, { at: END })], {
          run: { status, completedAt: END },
          lease: { type: "park", dueAt: null },
        });
        await write(world, ends);
        equal((await holderOf(world, status, END + 9))?.runId, run.runId);
        equal((await createOne(world, newRun({ names: [firstClaim(status)] }), END + 10)).outcome, "created");
      }
    },

    "deleting a run frees its names, whatever their times": async (stage) => {
      const world = await stage.open();
      const claims = [firstClaim("for ever", { keepFor: null }), firstClaim("late", { freeAt: END + 1e9 })];
      const run = await leasedRun(world, { names: claims });
      await write(world, finishing(run, END));
      deepEqual(await holdersOf(world, ["for ever", "late"], END), [run.runId, run.runId]);
      equal(await world.deleteRuns([run.runId]), 1);
      deepEqual(await holdersOf(world, ["for ever", "late"], END), [null, null]);
      equal((await createOne(world, newRun({ names: claims }), END)).outcome, "created");
    },

    "deleting the old run of a name leaves the name with the new one": async (stage) => {
      const world = await stage.open();
      const ended = await endedRun(world, "order-1", { keepFor: 10 }, "start");
      const next = newRun({ names: [firstClaim("order-1")] });
      equal((await createOne(world, next, END + 10)).outcome, "created");
      equal(await world.deleteRuns([ended.runId]), 1);
      equal((await holderOf(world, "order-1", END + 10))?.runId, next.runId);
    },

    "deleting the new run of a name does not give it back to the old one": async (stage) => {
      const world = await stage.open();
      const old = await endedRun(world, "order-1", { keepFor: 10 }, "start");
      const next = newRun({ names: [firstClaim("order-1", { keepFor: null })], lease: leaseOf() });
      equal((await createOne(world, next, END + 10)).outcome, "created");
      await write(world, finishing(await rowOf(world, next.runId), END + 10));
      equal(await world.deleteRuns([next.runId]), 1);
      for (const now of [START, END + 9, END + 10]) equal(await holderOf(world, "order-1", now), null);
      same((await world.listNames({ runId: old.runId, limit: 9, now: START })).names, []);
    },

    "a run whose name has become another's frees nobody's": async (stage) => {
      const world = await stage.open();
      const old = await endedRun(world, "order-1", { keepFor: 10 }, "start");
      const next = await leasedRun(world, { names: [firstClaim("other")] });
      const taken = await write(world, holding(next, [taking("hook-1", "order-1")]), END + 10);
      equal((await world.listNames({ limit: 9, now: END + 10, runId: old.runId })).names.length, 0);
      deepEqual(await holdersOf(world, ["order-1", "other"], START), [next.runId, next.runId]);
      await write(world, finishing(taken));
      deepEqual(await holdersOf(world, ["order-1", "other"], START), [null, null]);
    },

    "of twenty claims of a name that has just become free one wins": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      await endedRun(world, "order-1", { keepFor: 10 }, "start");
      const claimers = await Promise.all(Array.from({ length: 10 }, () => leasedRun(world)));
      const won = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const from = worlds[index % 4] ?? world;
          const claimer = claimers[index >> 1];
          if (index % 2 || claimer === undefined) {
            const run = newRun({ names: [firstClaim("order-1")] });
            return (await createOne(from, run, END + 10)).outcome === "created" ? [run.runId] : [];
          }
          const commit = holding(claimer, [taking("hook-1", "order-1")]);
          return conflictsOf(await commitOne(from, commit, END + 10)).length === 0 ? [claimer.runId] : [];
        }),
      );
      deepEqual(won.flat(), [(await holderOf(world, "order-1", END + 10))?.runId]);
    },
  },
};

/** A run that took a name, with its start or with a commit, and ended. */
async function endedRun(
  world: World,
  name: string,
  claim: Partial<NameClaim>,
  how: "start" | "commit",
  at: number = END,
): Promise<RunRecord> {
  const names = how === "start" ? [firstClaim(name, claim)] : [];
  const run = await leasedRun(world, { names });
  const held = how === "start" ? run : await write(world, holding(run, [taking(name, name, claim)]));
  return write(world, finishing(held, at));
}

/** Everybody finds the name held by this run. */
async function requireHeld(
  world: World,
  name: string,
  run: RunRecord,
  now: number,
  what: string,
): Promise<void> {
  const { runId } = run;
  const held = await holderOf(world, name, now);
  equal(held?.runId, runId, `${what}, at ${now - END}: held for getNames`);
  same((await world.listNames({ prefix: name, limit: 9, now })).names, [held], `${what}: for listNames`);
  const sent = await deliverOne(world, toName(name, `mail to ${name} at ${now}`), now);
  const mailed = isTerminal(run.status)
    ? { outcome: "finished", runId }
    : { outcome: "delivered", runId, id: held?.id };
  same(sent, mailed, `${what}: for deliver`);
  const start = await createOne(world, newRun({ names: [firstClaim(name)] }), now);
  same(start, { outcome: "held", name: held, run: await rowOf(world, runId) }, `${what}: for createRuns`);
  const claimer = await leasedRun(world, { lease: { owner: "claimer", claimId: "claim", ttl: 1e13 } });
  const refused = await commitOne(world, holding(claimer, [taking("hook", name)]), now);
  same(conflictsOf(refused), [{ id: "hook", runId }], `${what}: for commit`);
}

/** Everybody finds the name free, and one takes it. */
async function requireFree(
  world: World,
  name: string,
  now: number,
  what: string,
  how: "start" | "commit",
): Promise<void> {
  equal(await holderOf(world, name, now), null, `${what}: free for getNames`);
  deepEqual((await world.listNames({ prefix: name, limit: 9, now })).names, [], `${what}: for listNames`);
  const sent = await deliverOne(world, toName(name, `late mail to ${name}`), now);
  same(sent, { outcome: "no_such_name" }, `${what}: for deliver`);
  const next = newRun({ names: how === "start" ? [firstClaim(name)] : [], dueAt: START + 100 * TTL });
  if (how === "start")
    equal((await createOne(world, next, now)).outcome, "created", `${what}: for createRuns`);
  else {
    const run = await leasedRun(world);
    const taken = await commitOne(world, holding(run, [taking("hook", name)]), now);
    same(conflictsOf(taken), [], `${what}: for commit`);
  }
}

async function holdersOf(world: World, names: readonly string[], now: number): Promise<(string | null)[]> {
  return (await world.getNames(names, now)).map((held) => held?.runId ?? null);
}
