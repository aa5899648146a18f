import { deepEqual, equal } from "node:assert/strict";
import type { HookRecord, ListHooksQuery, World } from "@perdure/core/world";
import { deliverOne, leasedRun, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { holding, hookCreated, hookDisposed, toRun } from "../requests.ts";
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

    "hooks are listed by token, in pages of any size": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      const tokens = ["b", "a", "f", "d", "c", "e", "g"];
      await write(
        world,
        holding(
          one,
          tokens.slice(0, 4).map((token) => hookCreated(`1${token}`, token)),
        ),
      );
      await write(
        world,
        holding(
          two,
          tokens.slice(4).map((token) => hookCreated(`2${token}`, token)),
        ),
      );
      for (const limit of [1, 3, 7, 50]) {
        deepEqual(tokensOf(await allHooks(world, { limit })), ["a", "b", "c", "d", "e", "f", "g"]);
        deepEqual(tokensOf(await allHooks(world, { limit, runId: one.runId })), ["a", "b", "d", "f"]);
        deepEqual(tokensOf(await allHooks(world, { limit, runId: two.runId })), ["c", "e", "g"]);
      }
      same((await world.listHooks({ limit: 1 })).hooks, [await world.getHookByToken("a")]);
      deepEqual((await world.listHooks({ limit: 5, runId: "wrun_unknown" })).hooks, []);
    },

    "pages of hooks stay stable while hooks come and go": async (stage) => {
      const [world, writer] = (await stage.openMany(2)) as [World, World];
      const names = Array.from({ length: 20 }, (_, index) => `token-${String(index).padStart(2, "0")}`);
      const run = await leasedRun(world);
      let row = await write(
        world,
        holding(
          run,
          names.map((token) => hookCreated(`hook of ${token}`, token)),
        ),
      );
      const meddle = async (page: readonly HookRecord[]) => {
        const events = page.flatMap(({ token }) => [
          hookDisposed(`hook of ${token}`),
          hookCreated(`later ${token}`, `${token}-later`),
        ]);
        row = await write(writer, holding(row, events));
      };
      const seen = tokensOf(await allHooks(world, { limit: 3 }, meddle));
      deepEqual(
        seen.filter((token) => names.includes(token)),
        names,
      );
      equal(new Set(seen).size, seen.length, "no hook twice");
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

async function allHooks(
  world: World,
  query: ListHooksQuery,
  between: (page: readonly HookRecord[]) => Promise<void> = async () => {},
): Promise<readonly HookRecord[]> {
  const hooks: HookRecord[] = [];
  let page = await world.listHooks(query);
  for (;;) {
    equal(page.hooks.length <= query.limit, true, "a page has at most `limit` hooks");
    hooks.push(...page.hooks);
    if (page.cursor === null) return hooks;
    await between(page.hooks);
    page = await world.listHooks({ ...query, cursor: page.cursor });
  }
}

function tokensOf(hooks: readonly HookRecord[]): string[] {
  return hooks.map(({ token }) => token);
}
