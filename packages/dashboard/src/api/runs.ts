import type { RunFilter } from "@perdure/core/world";
import type { Counts, RunPage, RunStatus } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { runPage } from "../views/run-row.ts";
import { readRunQuery, STATUSES } from "./read-query.ts";

/** Lists of runs, and how many there are. */

/** GET `api/runs` */
export async function listRuns({ store, query }: Call): Promise<RunPage> {
  const asked = readRunQuery(query);
  return await store.ask(async (world) => runPage(await world.listRuns(asked)));
}

/** How many runs fit, by status, as of a moment ago; whatever statuses the filter has. */
export async function countsOf(store: Store, filter: RunFilter): Promise<Counts> {
  const { counts, at } = await countsBy(store, filter, STATUSES);
  return { counts, at };
}

/** {@link countsOf}, of some statuses only. */
export async function countsBy<Status extends RunStatus>(
  store: Store,
  { statuses: _, ...filter }: RunFilter,
  statuses: readonly Status[],
): Promise<{ readonly counts: Readonly<Record<Status, number>>; readonly at: number }> {
  return await store.kept.get(`counts ${statuses} ${JSON.stringify(filter)}`, async () => {
    const at = Date.now();
    const count = async (status: Status): Promise<[Status, number]> => [
      status,
      await store.ask((world) => world.countRuns({ ...filter, statuses: [status] })),
    ];
    const counted = await Promise.all(statuses.map(count));
    return { counts: Object.fromEntries(counted) as Record<Status, number>, at };
  });
}
