import { deepEqual, equal } from "node:assert/strict";
import type { HeldName, ListNamesQuery, World } from "@perdure/core/world";
import { commitOne, conflictsOf, deliverOne, holderOf, leasedRun, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { bytesOf, finishing, firstClaim, holding, releasing, START, taking, toName } from "../requests.ts";
import { same } from "../same.ts";

/** Prefixes that mean something to a careless store, and names that differ where it may cut them. */
const PREFIXES = [
  "hook:",
  "hook;",
  "HOOK:",
  "%",
  "_",
  "*",
  "\\",
  "[a]",
  "\u0000",
  "🔑",
  "é",
  "e\u0301",
  "\ud7ff",
  "\uffff",
  "\u{10ffff}",
  "x".repeat(590),
];

/** Listing names: all, those with a prefix and those of a run, in pages that stay. */
export const nameListing: Law = {
  name: "name-listing",
  cases: {
    "names are listed in pages of any size, all of them or those of a run": async (stage) => {
      const world = await stage.open();
      const one = await leasedRun(world, { names: ["b", "a", "f"].map((name) => firstClaim(name)) });
      const two = await leasedRun(world);
      const letters = ["d", "c", "e", "g"];
      await write(
        world,
        holding(
          two,
          letters.map((name) => taking(`2${name}`, name, { data: bytesOf(name), fingerprint: name })),
        ),
      );
      for (const limit of [1, 3, 7, 50]) {
        deepEqual(await listed(world, { limit }), ["a", "b", "c", "d", "e", "f", "g"]);
        deepEqual(await listed(world, { limit, runId: one.runId }), ["a", "b", "f"]);
        deepEqual(await listed(world, { limit, runId: two.runId }), ["c", "d", "e", "g"]);
      }
      for (const held of await allNames(world, { limit: 2 })) same(held, await holderOf(world, held.name));
      deepEqual(await listed(world, { limit: 5, runId: "wrun_unknown" }), []);
    },

    "a prefix is compared exactly, and names of 600 characters are kept apart": async (stage) => {
      const world = await stage.open();
      const all = PREFIXES.flatMap((prefix) => [prefix, `${prefix}1`, `${prefix}:2`, `${prefix}\u0000`]);
      const long = ["a", "b", "\u0000"].map((end) => `${"x".repeat(599)}${end}`);
      const names = [...all, ...long, "🔑".repeat(300), `${"🔑".repeat(299)}xy`];
      const run = await leasedRun(world, {
        names: names.map((name, id) => firstClaim(name, { id: `${id}` })),
      });
      const other = await leasedRun(world, { names: [firstClaim("hook:other"), firstClaim("other")] });
      for (const [index, name] of names.entries()) {
        const id = `${index}`;
        const what = JSON.stringify(name);
        const { createdAt } = run;
        const held = { name, id, runId: run.runId, fingerprint: null, data: null, createdAt };
        same(await holderOf(world, name), held, what);
        const sent = await deliverOne(world, toName(name, `m${index}`));
        same(sent, { outcome: "delivered", runId: run.runId, id }, what);
      }
      const asking = holding(
        other,
        names.map((name, index) => taking(`lost ${index}`, name)),
      );
      equal(conflictsOf(await commitOne(world, asking)).length, names.length);
      for (const prefix of [...PREFIXES, "hook", "", "x".repeat(599), "🔑".repeat(299)]) {
        const mine = names.filter((name) => name.startsWith(prefix)).sort();
        const others = ["hook:other", "other"].filter((name) => name.startsWith(prefix));
        const what = JSON.stringify(prefix.slice(0, 20));
        deepEqual(await listed(world, { limit: 3, prefix }), [...mine, ...others].sort(), what);
        deepEqual(await listed(world, { limit: 100, prefix, runId: run.runId }), mine, what);
        deepEqual(await listed(world, { limit: 1, prefix, runId: other.runId }), others, what);
      }
      deepEqual(await listed(world, { limit: 3, prefix: "nothing" }), []);
    },

    "names that have become free are not listed, however many there are": async (stage) => {
      const world = await stage.open();
      const kept = firstClaim("kept", { keepFor: 10 });
      const old = Array.from({ length: 40 }, (_, index) => firstClaim(`old-${index}`));
      const run = await leasedRun(world, { names: [kept, ...old] });
      await write(world, finishing(run));
      await leasedRun(world, { names: [firstClaim("zzz")] });
      for (const limit of [1, 5, 100]) {
        deepEqual(await listed(world, { limit }), ["kept", "zzz"]);
        deepEqual(await listed(world, { limit, runId: run.runId }), ["kept"]);
        deepEqual(await listed(world, { limit, prefix: "old-" }), []);
      }
      deepEqual(await listed(world, { limit: 5 }, START + 10), ["zzz"]);
    },

    "pages of names stay stable while names come and go": async (stage) => {
      const [world, writer] = (await stage.openMany(2)) as [World, World];
      const names = Array.from({ length: 20 }, (_, index) => `token-${String(index).padStart(2, "0")}`);
      const run = await leasedRun(world);
      let row = await write(
        world,
        holding(
          run,
          names.map((name) => taking(`hook of ${name}`, name)),
        ),
      );
      for (const query of [{ limit: 3 }, { limit: 3, prefix: "token" }, { limit: 3, runId: run.runId }]) {
        const round = JSON.stringify(query).length;
        let left = names.length;
        const meddle = async (page: readonly HeldName[]) => {
          // In the order of a store, new names may come before all the old ones that are left.
          if (left === 0) return;
          left--;
          const events = page.flatMap(({ name, id }) => [
            releasing(id),
            taking(`${round} later ${id}`, `token-z-${round}-${name}`),
          ]);
          row = await write(writer, holding(row, events));
        };
        const before = await listed(world, { limit: 100 });
        const seen = (await allNames(world, query, START, meddle)).map(({ name }) => name);
        deepEqual(seen.filter((name) => before.includes(name)).sort(), before);
        equal(new Set(seen).size, seen.length, "no name twice");
      }
    },
  },
};

/** Every name that fits, in this suite's order. */
async function listed(world: World, query: Omit<ListNamesQuery, "now">, now?: number): Promise<string[]> {
  return (await allNames(world, query, now)).map(({ name }) => name).sort();
}

async function allNames(
  world: World,
  query: Omit<ListNamesQuery, "now">,
  now: number = START,
  between: (page: readonly HeldName[]) => Promise<void> = async () => {},
): Promise<readonly HeldName[]> {
  const names: HeldName[] = [];
  let page = await world.listNames({ ...query, now });
  for (;;) {
    equal(page.names.length <= query.limit, true, "a page has at most `limit` names");
    names.push(...page.names);
    // New names come in while it pages: the older pages must end all the same.
    if (page.cursor === null || names.length > 1_000) return names;
    await between(page.names);
    page = await world.listNames({ ...query, now, cursor: page.cursor });
  }
}
