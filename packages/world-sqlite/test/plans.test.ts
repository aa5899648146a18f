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
  // The schema table has a row for each version; of the outbox the first rows are read; `p` is a page of chunks, which is read
  // by its index and then cut.
  const small = /^SCAN (CONSTANT|perdure_schema|perdure_outbox|p$|\(subquery)/;
  expect(opening.filter((line) => line.startsWith("SCAN") && !small.test(line))).toEqual([]);
  expect(opening.some((line) => /SEARCH .*perdure_runs_due \(queue=\? AND due_at>\?\)/.test(line))).toBe(
    true,
  );
});

test("names are found by their own index, and listed along it", async () => {
  const { opening } = await planned();
  const find = /^SEARCH n USING PRIMARY KEY \(name=\?\)$/;
  // For a start, a message, a refused claim and a reader.
  expect(opening.filter((line) => find.test(line)).length).toBeGreaterThanOrEqual(4);
  expect(
    opening.filter((line) => /^SEARCH n USING PRIMARY KEY \(name>\? AND name<\?\)$/.test(line)),
  ).toHaveLength(1);
  expect(
    opening.filter((line) => /^SEARCH n USING INDEX perdure_names_by_run \(run=\?\)$/.test(line)),
  ).toHaveLength(1);
  expect(
    opening.filter((line) => /^SEARCH n USING INDEX perdure_names_by_run \(run=\? AND id>\?\)$/.test(line)),
  ).toHaveLength(1);
  expect(
    opening.some((line) => /perdure_names USING .*perdure_names_by_run \(run=\? AND id=\?\)$/.test(line)),
  ).toBe(true);
  // What is sorted is that page of chunks.
  expect(opening.filter((line) => line.includes("TEMP B-TREE"))).toHaveLength(1);
});

/** A World, what SQLite planned for the statements that it prepared when it was opened, and for its listings since. */
async function planned() {
  const database = new DatabaseSync(":memory:");
  const plans: string[] = [];
  const prepare = database.prepare.bind(database);
  database.prepare = (sql, ...options) => {
    const statement = prepare(sql, ...options);
    if (
      /^\s*(SELECT|INSERT|UPDATE|DELETE)/.test(sql) &&
      /perdure_\w/.test(sql) &&
      !sql.includes("count(*)")
    ) {
      const lines = prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      plans.push(...lines.map(({ detail }) => String(detail)));
    }
    return statement;
  };
  const world = await openWorld({ database });
  return { opening: plans.splice(0), plans, world };
}
