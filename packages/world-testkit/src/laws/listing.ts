import { deepEqual, equal } from "node:assert/strict";
import { fits, type ListRunsQuery, type RunFilter, type RunRecord, type World } from "@perdure/core/world";
import { deliverOne, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { bytesOf, eventOf, finishing, holding, newRun, START, stepCreated, toRun } from "../requests.ts";
import { same } from "../same.ts";

/** Listing and counting runs: by every field of a filter, in an order that stays. */
export const listing: Law = {
  name: "listing",
  cases: {
    "runs are listed by the time of their creation, in both directions, in pages of any size": async (
      stage,
    ) => {
      const world = await stage.open();
      const runs = await manyRuns(world, 23);
      for (const limit of [1, 5, 23, 100]) {
        same(await allRuns(world, { limit, order: "asc" }), runs);
        same(await allRuns(world, { limit }), runs.toReversed(), "the newest first by default");
      }
    },

    "runs are listed and counted by each field of a filter": async (stage) => {
      const world = await stage.open();
      const runs = await manyRuns(world, 40);
      const filters: RunFilter[] = [
        {},
        ...Object.values(FIELDS).flat(),
        { workflow: "unknown" },
        { queue: "unknown" },
        { attributes: { third: "7" } },
        { attributes: { unknown: "0" } },
        { attributes: { third: "0", unknown: "0" } },
        { attributes: {} },
        { statuses: [] },
        { createdBefore: START },
      ];
      for (const filter of filters) await requireListing(world, runs, filter);
    },

    "several fields are a conjunction": async (stage) => {
      const world = await stage.open();
      const runs = await manyRuns(world, 40);
      const names = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
      for (const [index, one] of names.entries()) {
        for (const other of names.slice(index + 1)) {
          await requireListing(world, runs, { ...FIELDS[one][0], ...FIELDS[other][0] });
        }
      }
      const all = names.filter((name) => name !== "completedBefore").map((name) => FIELDS[name].at(-1) ?? {});
      await requireListing(world, runs, Object.assign({}, ...all) as RunFilter);
      await requireListing(world, runs, { attributes: { third: "0", fifth: "0" }, workflow: "even" });
    },

    "a listing follows what commits change": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, { queue: "a", attributes: { plan: "free", city: "Kyiv" } });
      const isIn = async (filter: RunFilter) => {
        const { runs } = await world.listRuns({ ...filter, limit: 10 });
        equal(await world.countRuns(filter), runs.length);
        return runs.length === 1;
      };
      const change = {
        queue: "b",
        attributes: { plan: "paid", city: "Kyiv" },
        status: "running",
        startedAt: START,
      } as const;
      const row = await write(world, holding(run, [eventOf("run_started")], { run: change }));
      same(row.attributes, change.attributes);
      for (const [filter, there] of [
        [{ queue: "a" }, false],
        [{ queue: "b" }, true],
        [{ attributes: { plan: "free" } }, false],
        [{ attributes: { plan: "paid", city: "Kyiv" } }, true],
        [{ statuses: ["pending"] }, false],
        [{ statuses: ["pending", "running"] }, true],
      ] as const) {
        equal(await isIn(filter), there, JSON.stringify(filter));
      }
      const same1 = await write(world, holding(row, [stepCreated("step-1")]));
      same(same1.attributes, change.attributes, "attributes that a commit does not name stay");
      const bare = await write(
        world,
        finishing(same1, START, [], { run: { status: "completed", completedAt: START, attributes: {} } }),
      );
      same(bare.attributes, {});
      equal(await isIn({ attributes: { city: "Kyiv" } }), false);
      equal(await world.deleteRuns([run.runId]), 1);
      for (const filter of [
        {},
        { queue: "b" },
        { workflow: run.workflow },
        { statuses: ["completed"] },
      ] as const) {
        equal(await isIn(filter), false, JSON.stringify(filter));
      }
    },

    "attributes and state are given by a start, changed by commits, and the same when sent again": async (
      stage,
    ) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const run = await leasedRun(world, {
        attributes: { __proto__x: "", "": "empty" },
        state: bytesOf("begun"),
      });
      same(run.attributes, { __proto__x: "", "": "empty" });
      same(run.state, bytesOf("begun"));
      const commit = holding(run, [stepCreated("step-1")], {
        run: { state: bytesOf("half"), attributes: { a: "1" } },
      });
      const row = await write(world, commit);
      same(await write(other, commit), row);
      same(row.state, bytesOf("half"));
      const bare = holding(row, [], { run: { state: null, attributes: { b: "2" } } });
      const twice = await write(world, bare);
      same(await write(world, bare), twice);
      same(twice, { ...row, state: null, attributes: { b: "2" } });
      const empty = await write(world, holding(twice, [], { run: { state: new Uint8Array() } }));
      same(empty.state, new Uint8Array());
      equal(await world.countRuns({ attributes: { a: "1" } }), 0);
      equal(await world.countRuns({ attributes: { b: "2" } }), 1);
    },

    "payloads come when they are asked for": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const [output, state] = [bytesOf("the result"), bytesOf("at the end")];
      const row = await write(
        world,
        finishing(run, START, [], { run: { status: "completed", completedAt: START, output, state } }),
      );
      same([row.output, row.state], [output, state]);
      for (const filter of [{}, { workflow: run.workflow }, { statuses: ["completed"] as const }]) {
        same((await world.listRuns({ ...filter, limit: 1 })).runs, [{ ...row, output: null, state: null }]);
        same((await world.listRuns({ ...filter, limit: 1, payloads: true })).runs, [row]);
      }
    },

    "runs of one time are listed by id, and pages end between any two of them": async (stage) => {
      const world = await stage.open();
      const at = (index: number) => START + Math.floor(index / 7);
      const runs = Array.from({ length: 30 }, (_, index) =>
        newRun({ events: [eventOf("run_created", { at: at(index) })], attributes: { all: "yes" } }),
      );
      await world.createRuns(runs.toReversed(), START);
      const ids = runs.map(({ runId }) => runId);
      for (const filter of [
        {},
        { attributes: { all: "yes" } },
        { statuses: ["pending", "failed"] as const },
      ]) {
        for (const limit of [1, 3, 7]) {
          const listed = await allRuns(world, { ...filter, limit, order: "asc" });
          deepEqual(
            listed.map(({ runId }) => runId),
            ids,
          );
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
  },
};

/** Filters by each field; {@link manyRuns} makes runs that fit them and runs that do not. */
const FIELDS = {
  statuses: [
    { statuses: ["pending"] },
    { statuses: ["completed", "failed"] },
    { statuses: ["running", "cancelled", "diverged", "running"] },
  ],
  workflow: [{ workflow: "even" }, { workflow: "odd" }],
  queue: [{ queue: "queue-1" }, { queue: "queue-2" }],
  attributes: [
    { attributes: { third: "0" } },
    { attributes: { fifth: "1" } },
    { attributes: { third: "1", fifth: "2" } },
  ],
  createdFrom: [{ createdFrom: START + 12 }],
  createdBefore: [{ createdBefore: START + 30 }],
  completedBefore: [{ completedBefore: START + 60 }, { completedBefore: START + 1_000 }],
} as const satisfies Record<keyof RunFilter, readonly RunFilter[]>;

async function requireListing(world: World, runs: readonly RunRecord[], filter: RunFilter): Promise<void> {
  const what = JSON.stringify(filter);
  const expected = runs.filter((run) => fits(run, filter));
  if (filter.completedBefore !== undefined)
    expected.sort((a, b) => (a.completedAt ?? 0) - (b.completedAt ?? 0));
  same(await allRuns(world, { ...filter, limit: 3, order: "asc" }), expected, what);
  same(await allRuns(world, { ...filter, limit: 4 }), expected.toReversed(), what);
  equal(await world.countRuns(filter), expected.length, what);
}

/**
 * Rows in every status, of the workflows `even` and `odd`, in three queues and with attributes, created one after the other
 * and ended in the other order.
 */
async function manyRuns(world: World, count: number): Promise<readonly RunRecord[]> {
  const rows: RunRecord[] = [];
  for (let index = 0; index < count; index++) {
    const run = await leasedRun(world, {
      events: [eventOf("run_created", { at: START + index })],
      workflow: index % 2 ? "odd" : "even",
      queue: `queue-${index % 3}`,
      attributes: { third: String(index % 3), ...(index % 4 && { fifth: String(index % 5) }) },
    });
    const started = holding(run, [eventOf("run_started")], { run: { status: "running", startedAt: START } });
    const completedAt = START + 100 - index;
    const failed = holding(run, [eventOf("run_failed", { at: completedAt })], {
      run: { status: "failed", completedAt },
      lease: { type: "park", dueAt: null },
    });
    const commit = [undefined, started, finishing(run, completedAt), failed][Math.floor(index / 2) % 4];
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
    same(page.damaged, [], "whole rows are not damaged");
    rows.push(...page.runs);
    // New runs come in while it pages: the older pages must end all the same.
    if (page.cursor === null || rows.length > 1_000) return rows;
    await between(page.runs.slice(0, 2));
    page = await world.listRuns({ ...query, cursor: page.cursor });
  }
}
