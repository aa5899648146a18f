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
export async function countsOf(store: Store, { statuses: _, ...filter }: RunFilter): Promise<Counts> {
  return await store.kept.get(`counts ${JSON.stringify(filter)}`, async () => {
    const at = Date.now();
    const counted = await store.ask((world) =>
      Promise.all(
        STATUSES.map(
          async (status): Promise<[RunStatus, number]> => [
            status,
            await world.countRuns({ ...filter, statuses: [status] }),
          ],
        ),
      ),
    );
    return { counts: Object.fromEntries(counted) as Record<RunStatus, number>, at };
  });
}
