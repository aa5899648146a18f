import type { ListRunsQuery, RunFilter, RunPatch, World } from "@perdure/core/world";
import { type Bug, bug } from "./bug.ts";

export const listingBugs: readonly Bug[] = [
  bug("listing", "pages are counted, not anchored", ({ world }) => ({
    async listRuns({ cursor, ...query }) {
      const from = Number(cursor ?? 0);
      const { runs, damaged } = await world.listRuns({ ...query, limit: from + query.limit + 1 });
      const page = runs.slice(from, from + query.limit);
      const next = from + query.limit;
      return { runs: page, damaged, cursor: runs.length > next ? String(next) : null };
    },
  })),
  bug("listing", "the page is cut before it is filtered", ({ world }) => ({
    async listRuns({ statuses, ...query }) {
      const page = await world.listRuns(query);
      const runs = page.runs.filter((run) => statuses?.includes(run.status) ?? true);
      return { ...page, runs, cursor: runs.length === 0 ? null : page.cursor };
    },
  })),
  ...(["workflow", "queue", "statuses", "attributes", "createdFrom", "createdBefore"] as const).map((field) =>
    bug("listing", `${field} is not looked at`, ({ world }) =>
      asking(world, (filter) => {
        const { [field]: _, ...rest } = filter;
        return rest;
      }),
    ),
  ),
  bug("listing", "whole rows are called damaged", ({ world }) => ({
    async listRuns(query) {
      const page = await world.listRuns(query);
      return { ...page, damaged: page.runs.map(({ runId }) => ({ runId, damage: new Error("damaged") })) };
    },
  })),
  bug("listing", "one of several statuses counts", ({ world }) =>
    asking(world, (filter) =>
      filter.statuses === undefined ? filter : { ...filter, statuses: filter.statuses.slice(0, 1) },
    ),
  ),
  bug("listing", "one of several attributes counts", ({ world }) =>
    asking(world, ({ attributes, ...filter }) => ({
      ...filter,
      ...(attributes !== undefined && {
        attributes: Object.fromEntries(Object.entries(attributes).slice(0, 1)),
      }),
    })),
  ),
  bug("listing", "everything is counted", ({ world }) => ({ countRuns: () => world.countRuns({}) })),
  bug("listing", "payloads come always", ({ world }) => ({
    listRuns: (query) => world.listRuns({ ...query, payloads: true }),
  })),
  bug("listing", "the order is always the same", ({ world }) => ({
    listRuns: (query) => world.listRuns({ ...query, order: "asc" }),
  })),
  bug("listing", "attributes are added to those that are there", ({ world, state }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.map(({ run, ...commit }) => {
          const before = state.runs.get(commit.runId)?.row.attributes;
          const patch: RunPatch = run.attributes
            ? { ...run, attributes: { ...before, ...run.attributes } }
            : run;
          return { ...commit, run: patch };
        }),
        now,
      ),
  })),
  bug("listing", "a state that is empty is none", ({ world }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.map(({ run, ...commit }) => ({
          ...commit,
          run: run.state?.length === 0 ? { ...run, state: null } : run,
        })),
        now,
      ),
  })),
];

/** A World that lists and counts by another filter than it was given. */
function asking(world: World, change: (filter: RunFilter) => RunFilter): Partial<World> {
  return {
    listRuns: ({ limit, cursor, order, payloads, ...filter }) => {
      const rest = { limit, cursor, order, payloads };
      const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
      return world.listRuns({ ...change(filter), ...given } as unknown as ListRunsQuery);
    },
    countRuns: (filter) => world.countRuns(change(filter)),
  };
}
