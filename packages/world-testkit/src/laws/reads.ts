import { deepEqual, equal } from "node:assert/strict";
import type { HookRecord, ListHooksQuery, ListRunsQuery, RunRecord, World } from "@perdure/core/world";
import { deliverOne, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  eventOf,
  finishing,
  holding,
  hookCreated,
  hookDisposed,
  newRun,
  START,
  stepCreated,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** Reading: in order, whole, and stable while others write. */
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

    "runs are listed by id, in both directions, in pages of any size": async (stage) => {
      const world = await stage.open();
      const runs = await manyRuns(world, 23);
      for (const limit of [1, 5, 23, 100]) {
        same(await allRuns(world, { limit, order: "asc" }), runs);
        same(await allRuns(world, { limit }), runs.toReversed(), "the newest first by default");
      }
      deepEqual((await world.listRuns({ limit: 5, workflow: "unknown" })).runs, []);
    },

    "runs are listed by workflow and status": async (stage) => {
      const world = await stage.open();
      const runs = await manyRuns(world, 24);
      for (const workflow of [undefined, "even", "odd"]) {
        for (const status of [undefined, "pending", "running", "completed", "failed"] as const) {
          const expected = runs.filter(
            (run) => (workflow ?? run.workflow) === run.workflow && (status ?? run.status) === run.status,
          );
          const filter = {
            ...(workflow !== undefined && { workflow }),
            ...(status !== undefined && { status }),
          };
          same(await allRuns(world, { ...filter, limit: 3, order: "asc" }), expected);
          same(await allRuns(world, { ...filter, limit: 4 }), expected.toReversed());
        }
      }
    },

    "pages of runs stay stable while runs are created and changed": async (stage) => {
      const [world, writer] = (await stage.openMany(2)) as [World, World];
      const ids = (await manyRuns(world, 30)).map(({ runId }) => runId);
      for (const order of ["asc", "desc"] as const) {
        const meddle = async (page: readonly RunRecord[]) => {
          await writer.createRuns([newRun(), newRun()], START);
          for (const { runId } of page) {
            const row = await rowOf(writer, runId);
            if (row.owner !== null) await write(writer, holding(row, [stepCreated("step")]));
            else await deliverOne(writer, toRun(runId, `${order} ${runId}`));
          }
        };
        const seen = (await allRuns(world, { limit: 4, order }, meddle)).map(({ runId }) => runId);
        const known = seen.filter((runId) => ids.includes(runId));
        deepEqual(known, order === "asc" ? ids : ids.toReversed());
        equal(new Set(seen).size, seen.length, "no run twice");
      }
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

/** Rows in every status, of the workflows `even` and `odd`, by run id. */
async function manyRuns(world: World, count: number): Promise<readonly RunRecord[]> {
  const rows: RunRecord[] = [];
  for (let index = 0; index < count; index++) {
    const run = await leasedRun(world, { workflow: index % 2 ? "odd" : "even" });
    const started = holding(run, [eventOf("run_started")], { run: { status: "running", startedAt: START } });
    const failed = holding(run, [eventOf("run_failed")], {
      run: { status: "failed", completedAt: START },
      lease: { type: "finish" },
    });
    const commit = [undefined, started, finishing(run), failed][Math.floor(index / 2) % 4];
    rows.push(commit === undefined ? run : await write(world, commit));
  }
  return rows;
}

async function allRuns(
  world: World,
  query: ListRunsQuery,
  between: (page: readonly RunRecord[]) => Promise<void> = async () => {},
): Promise<readonly RunRecord[]> {
  const rows: RunRecord[] = [];
  let page = await world.listRuns(query);
  for (;;) {
    equal(page.runs.length <= query.limit, true, "a page has at most `limit` runs");
    rows.push(...page.runs);
    // New runs come in while it pages: the older pages must end all the same.
    if (page.cursor === null || rows.length > 1_000) return rows;
    await between(page.runs.slice(0, 2));
    page = await world.listRuns({ ...query, cursor: page.cursor });
  }
}

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
