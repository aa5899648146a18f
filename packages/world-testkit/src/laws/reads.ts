import { deepEqual, equal } from "node:assert/strict";
import type { HeldName, ListNamesQuery, World } from "@perdure/core/world";
import { deliverOne, holderOf, leasedRun, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { holding, releasing, START, taking, toRun } from "../requests.ts";
import { same } from "../same.ts";

/** Reading what belongs to runs: in order, whole, and stable while others write. */
export const reads: Law = {
  name: "reads",
  cases: {
    "rows come in the order in which they were asked for": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      const ids = [two.runId, "wrun_unknown", one.runId, two.runId, ""];
      same(await world.getRuns(ids), [two, null, one, two, null]);
      deepEqual(await world.getRuns([]), []);
    },

    "names are listed in pages of any size, all of them or those of a run": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      const tokens = ["b", "a", "f", "d", "c", "e", "g"];
      await write(
        world,
        holding(
          one,
          tokens.slice(0, 4).map((token) => taking(`1${token}`, token)),
        ),
      );
      await write(
        world,
        holding(
          two,
          tokens.slice(4).map((token) => taking(`2${token}`, token)),
        ),
      );
      for (const limit of [1, 3, 7, 50]) {
        deepEqual(namesOf(await allNames(world, { limit })).sort(), ["a", "b", "c", "d", "e", "f", "g"]);
        deepEqual(namesOf(await allNames(world, { limit, runId: one.runId })).sort(), ["a", "b", "d", "f"]);
        deepEqual(namesOf(await allNames(world, { limit, runId: two.runId })).sort(), ["c", "e", "g"]);
      }
      for (const held of await allNames(world, { limit: 2 })) same(held, await holderOf(world, held.name));
      deepEqual(await allNames(world, { limit: 5, runId: "wrun_unknown" }), []);
    },

    "pages of names stay stable while names come and go": async (stage) => {
      const [world, writer] = (await stage.openMany(2)) as [World, World];
      const names = Array.from({ length: 20 }, (_, index) => `token-${String(index).padStart(2, "0")}`);
      const run = await leasedRun(world);
      let row = await write(
        world,
        holding(
          run,
          names.map((token) => taking(`hook of ${token}`, token)),
        ),
      );
      const meddle = async (page: readonly HeldName[]) => {
        const events = page.flatMap(({ name }) => [
          releasing(`hook of ${name}`),
          taking(`later ${name}`, `${name}-later`),
        ]);
        row = await write(writer, holding(row, events));
      };
      const seen = namesOf(await allNames(world, { limit: 3 }, meddle));
      deepEqual(seen.filter((token) => names.includes(token)).sort(), names);
      equal(new Set(seen).size, seen.length, "no name twice");
    },

    "mail of several runs comes in the order in which it was asked for": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      for (const id of ["a", "b"]) await deliverOne(world, toRun(one.runId, `1${id}`));
      await deliverOne(world, toRun(two.runId, "2a"));
      const lists = await world.listMail([
        { runId: two.runId, after: 0 },
        { runId: "wrun_unknown", after: 0 },
        { runId: one.runId, after: 1 },
        { runId: two.runId, after: 1 },
      ]);
      deepEqual(
        lists.map((list) => list.map(({ messageId }) => messageId)),
        [["2a"], [], ["1b"], []],
      );
      deepEqual(await world.listMail([]), []);
    },
  },
};

async function allNames(
  world: World,
  query: Omit<ListNamesQuery, "now">,
  between: (page: readonly HeldName[]) => Promise<void> = async () => {},
): Promise<readonly HeldName[]> {
  const names: HeldName[] = [];
  let page = await world.listNames({ ...query, now: START });
  for (;;) {
    equal(page.names.length <= query.limit, true, "a page has at most `limit` names");
    names.push(...page.names);
    // New names come in while it pages: the older pages must end all the same.
    if (page.cursor === null || names.length > 1_000) return names;
    await between(page.names);
    page = await world.listNames({ ...query, now: START, cursor: page.cursor });
  }
}

function namesOf(names: readonly HeldName[]): string[] {
  return names.map(({ name }) => name);
}
