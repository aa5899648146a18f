import { deepEqual, equal, ok } from "node:assert/strict";
import type { CreateRun, CreateRunResult, RunRecord, World } from "@perdure/core/world";
import { commitOne, conflictsOf, createOne, holderOf, journalOf, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  finishing,
  firstClaim,
  holding,
  newRun,
  parking,
  REFUSED,
  releasing,
  START,
  taking,
} from "../requests.ts";
import { same } from "../same.ts";

/** Of all claims of a name one wins, whoever races, and every other one hears of the winner. */
export const nameRaces: Law = {
  name: "name-races",
  cases: {
    "of twelve commits on four Worlds one takes the name, ten times": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 10; round++) {
        const name = `name-${round}`;
        const runs = await Promise.all(Array.from({ length: 12 }, () => leasedRun(world)));
        const results = await Promise.all(
          runs.map((run, index) =>
            commitOne(worlds[index % 4] ?? world, parking(run, START + 9, [taking(`hook-${index}`, name)])),
          ),
        );
        const winners = runs.filter((_, index) => conflictsOf(results[index]).length === 0);
        equal(winners.length, 1, `winners in round ${round}`);
        const owner = winners[0]?.runId ?? "";
        equal((await holderOf(world, name))?.runId, owner);
        for (const [index, run] of runs.entries()) {
          const written = (await journalOf(world, run.runId)).at(-1);
          equal(written?.type, run.runId === owner ? "hook_created" : REFUSED);
          if (run.runId === owner) continue;
          same(conflictsOf(results[index]), [{ id: `hook-${index}`, runId: owner }]);
          same(written?.data, bytesOf(owner));
        }
      }
    },

    "of starts and commits for one name one wins, twenty times": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 20; round++) {
        const name = `name-${round}`;
        const runs = await Promise.all(Array.from({ length: 4 }, () => leasedRun(world)));
        const starts = Array.from({ length: 4 }, () => newRun({ names: [firstClaim(name)] }));
        const acts = starts.flatMap((start, index) => {
          const from = worlds[index] ?? world;
          const run = runs[index] ?? runs[0];
          if (run === undefined) return [];
          const pair = [
            async () => holderIn(await createOne(from, start)) ?? start.runId,
            async () => {
              const [conflict] = conflictsOf(await commitOne(from, holding(run, [taking("hook", name)])));
              return conflict?.runId ?? run.runId;
            },
          ];
          return round % 2 ? pair : pair.reverse();
        });
        const winners = await Promise.all(acts.map((act) => act()));
        const held = await holderOf(world, name);
        deepEqual(new Set(winners), new Set([held?.runId]), `round ${round}: everybody tells of one winner`);
        const made = await world.getRuns(starts.map(({ runId }) => runId));
        for (const row of made) if (row !== null) equal(row.runId, held?.runId, "losers do not exist");
      }
    },

    "starts with several names in all orders: one is made whole, and the others hear of it": async (
      stage,
    ) => {
      const worlds = await stage.openMany(3);
      const [world] = worlds as [World];
      for (let round = 0; round < 20; round++) {
        const [a, b, c] = ["a", "b", "c"].map((name) => `${name}-${round}`) as [string, string, string];
        // Each two of them have a name in common.
        const orders = [
          [a, b],
          [b, a],
          [b, c],
          [c, b],
          [c, a],
          [a, c],
        ];
        const starts = orders.map(starting);
        const results = await Promise.all(
          starts.map((start, index) => createOne(worlds[index % 3] ?? world, start)),
        );
        await requireOneWhole(world, starts, results, `round ${round}`);
      }
    },

    "batches with names in opposite orders wait for nobody for ever": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 8; round++) {
        const names = Array.from({ length: 12 }, (_, index) => `${round}-${index}`);
        const batches = worlds.map((_, index) => {
          const batch = names.map((name) => newRun({ names: [firstClaim(name)] }));
          return index % 2 ? batch : batch.reverse();
        });
        const answers = await Promise.all(
          batches.map((batch, index) => (worlds[index] ?? world).createRuns(batch, START)),
        );
        equal(answers.flat().filter(({ outcome }) => outcome === "created").length, names.length);
        const runs = await Promise.all(worlds.map(() => leasedRun(world)));
        const commits = await Promise.all(
          runs.map((run, index) => {
            const order = index % 2 ? names : names.toReversed();
            const events = order.map((name) => taking(`id of ${name}`, `hook ${name}`));
            return commitOne(worlds[index] ?? world, holding(run, events));
          }),
        );
        const lost = commits.flatMap((commit) => conflictsOf(commit));
        equal(lost.length, (runs.length - 1) * names.length, "each name is taken once");
      }
    },

    "a start that cannot be holds up no other, whoever looks first": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const owner = await leasedRun(world, { names: [firstClaim("taken")] });
      for (let round = 0; round < 20; round++) {
        const name = `name-${round}`;
        const hopeless = [starting([name, "taken"]), starting(["taken", name]), starting([name, "taken"])];
        const able = round % 2 ? starting([name]) : undefined;
        const run = await leasedRun(world);
        const acts = [
          ...hopeless.map((start, index) => async () => {
            const result = await createOne(worlds[index] ?? world, start);
            equal(result.outcome, "held", `round ${round}`);
            const winner = able?.runId ?? run.runId;
            ok([owner.runId, winner].includes(holderIn(result) ?? ""), "held by a run that there is");
          }),
          async () => {
            const last = worlds[3] ?? world;
            if (able !== undefined) equal((await createOne(last, able)).outcome, "created", `round ${round}`);
            else same(conflictsOf(await commitOne(last, holding(run, [taking("hook", name)]))), []);
          },
        ];
        if (round % 3) acts.reverse();
        await Promise.all(acts.map((act) => act()));
      }
    },

    "a name that is released while others ask for it goes to one of them or stays free": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 20; round++) {
        const name = `name-${round}`;
        const owner = await write(world, holding(await leasedRun(world), [taking("hook", name)]));
        const start = newRun({ names: [firstClaim(name)] });
        const run = await leasedRun(world);
        const release = round % 2 ? finishing(owner) : holding(owner, [releasing("hook")]);
        const [, started, taken] = await Promise.all([
          commitOne(worlds[0] ?? world, release),
          createOne(worlds[1] ?? world, start),
          commitOne(worlds[2] ?? world, holding(run, [taking("hook", name)])),
        ]);
        const winners = [
          ...(started.outcome === "created" ? [start.runId] : []),
          ...(conflictsOf(taken).length === 0 ? [run.runId] : []),
        ];
        ok(winners.length <= 1, `round ${round}`);
        equal((await holderOf(world, name))?.runId, winners[0], `round ${round}`);
      }
    },

    "a name passes from a run that has ended to one of twelve, ten times": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      for (let round = 0; round < 10; round++) {
        const name = `name-${round}`;
        const old = await leasedRun(world, { names: [firstClaim(name, { keepFor: null })] });
        await write(world, finishing(old));
        const starts = Array.from({ length: 12 }, () =>
          newRun({ names: [firstClaim(name, { from: old.runId, keepFor: null })] }),
        );
        const results = await Promise.all(
          starts.map((start, index) => createOne(worlds[index % 4] ?? world, start)),
        );
        await requireOneWhole(world, starts, results, `round ${round}`);
      }
    },
  },
};

function starting(names: readonly string[]): CreateRun {
  return newRun({ names: names.map((name) => firstClaim(name)) });
}

function holderIn(result: CreateRunResult): string | null {
  return result.outcome === "held" ? result.run.runId : null;
}

/** One of the starts was made and has all its names; the others do not exist, and were told of it. */
export async function requireOneWhole(
  world: World,
  starts: readonly CreateRun[],
  results: readonly CreateRunResult[],
  what: string,
): Promise<void> {
  const winners = starts.filter((_, index) => results[index]?.outcome === "created");
  const [winner] = winners;
  if (winner === undefined || winners.length > 1) equal(winners.length, 1, `${what}: runs made`);
  const row: RunRecord = await rowOf(world, winner?.runId ?? "");
  for (const { name } of winner?.names ?? []) equal((await holderOf(world, name))?.runId, row.runId, what);
  for (const result of results) {
    if (result.outcome !== "held") continue;
    same(result.run, row, what);
    same(result.name, await holderOf(world, result.name.name), what);
  }
  const rows = await world.getRuns(starts.map(({ runId }) => runId));
  equal(rows.filter((loser) => loser !== null).length, 1, `${what}: losers do not exist`);
}
