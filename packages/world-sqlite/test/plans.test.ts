import { DatabaseSync } from "node:sqlite";
import type { ListRunsQuery } from "@perdure/core/world";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld } from "./store.ts";

/** Every kind of listing, and the index along which SQLite has to walk it. */
const LISTINGS: readonly (readonly [ListRunsQuery, RegExp])[] = [
  [{ limit: 9 }, /r USING INDEX perdure_runs_created$/],
  [
    { limit: 9, createdFrom: NOW, createdBefore: NOW + 9 },
    /perdure_runs_created \(created_at>\? AND created_at<\?\)/,
  ],
  [{ limit: 9, workflow: "w" }, /perdure_runs_by_workflow \(workflow=\?\)/],
  [
    { limit: 9, workflow: "w", createdBefore: NOW },
    /perdure_runs_by_workflow \(workflow=\? AND created_at<\?\)/,
  ],
  [{ limit: 9, queue: "q" }, /perdure_runs_by_queue \(queue=\?\)/],
  [{ limit: 9, statuses: ["failed"] }, /perdure_runs_by_status \(status=\?\)/],
  [{ limit: 9, attributes: { a: "1" } }, /a USING PRIMARY KEY \(key=\?\)/],
  [{ limit: 9, completedBefore: NOW }, /perdure_runs_completed \(completed_at>\? AND completed_at<\?\)/],
];

test.each(LISTINGS)("%o is a walk along its index, whose pages are not sorted", async (query, walk) => {
  const { plans, world } = await planned();
  for (const cursor of [undefined, `${NOW}:run`]) {
    for (const order of ["asc", "desc"] as const) {
      plans.length = 0;
      await world.listRuns({ ...query, order, ...(cursor !== undefined && { cursor }) });
      // A cursor adds a bound, which SQLite may use in place of one that is there.
      const found = plans.map((line) => (cursor === undefined ? line : line.replace(/ \(.*/, "")));
      const wanted = cursor === undefined ? walk : new RegExp(walk.source.replace(/ \\\(.*/, ""));
      expect(
        found.some((line) => wanted.test(line)),
        plans.join("\n"),
      ).toBe(true);
      expect(plans.filter((line) => /SCAN (?!.*USING INDEX)|TEMP B-TREE/.test(line))).toEqual([]);
    }
  }
});

test("several statuses are a walk each, of which a page is merged", async () => {
  const { plans, world } = await planned();
  await world.listRuns({ limit: 9, statuses: ["failed", "cancelled"] });
  expect(plans.filter((line) => line.includes("perdure_runs_by_status (status=?)"))).toHaveLength(2);
});

test("a conjunction walks the field that the fewest runs fit", async () => {
  const { plans, world } = await planned();
  const runs = Array.from({ length: 30 }, (_, index) =>
    newRun(`run-${index}`, {
      workflow: index < 5 ? "rare" : "usual",
      queue: index < 10 ? "some" : "most",
      attributes: { plan: index < 2 ? "odd" : "even" },
    }),
  );
  await world.createRuns(runs, NOW);
  for (const [query, walk] of [
    [{ workflow: "usual", queue: "some" }, /by_queue/],
    [{ workflow: "rare", queue: "some" }, /by_workflow/],
    [{ workflow: "rare", queue: "some", attributes: { plan: "odd" } }, /a USING PRIMARY KEY/],
    [{ workflow: "rare", attributes: { plan: "even" } }, /by_workflow/],
  ] as const) {
    plans.length = 0;
    await world.listRuns({ ...query, limit: 9 });
    expect(plans.at(0), JSON.stringify(query)).toMatch(walk);
  }
});

test("no verb scans a table", async () => {
  const { opening } = await planned();
  expect(opening.length).toBeGreaterThan(20);
  // The schema table and the clock have a row each; a page of chunks, `p`, is found by an index before it is scanned.
  const scans = /^SCAN (?!CONSTANT|perdure_schema|\(subquery|p$)/;
  expect(opening.filter((line) => scans.test(line))).toEqual([]);
  expect(opening.some((line) => /SEARCH .*perdure_runs_due \(queue=\? AND due_at>\?\)/.test(line))).toBe(
    true,
  );
});

/** A World, what SQLite planned for the statements that it prepared when it was opened, and for its listings since. */
async function planned() {
  const database = new DatabaseSync(":memory:");
  const plans: string[] = [];
  const prepare = database.prepare.bind(database);
  database.prepare = (sql, ...options) => {
    const statement = prepare(sql, ...options);
    if (/^\s*(SELECT|UPDATE|DELETE)/.test(sql) && /perdure_\w/.test(sql) && !sql.includes("count(*)")) {
      const lines = prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      plans.push(...lines.map(({ detail }) => String(detail)));
    }
    return statement;
  };
  const world = await openWorld({ database });
  return { opening: plans.splice(0), plans, world };
}
