import type { World } from "./world.ts";

/** Retention: which runs are old is the caller's to say; the store deletes what it is given. */

const RUNS_AT_ONCE = 200;

/**
 * Deletes the runs that ended before a time, the oldest first, with all that belongs to them; returns how many. It goes page
 * by page, so no worker waits for long, and several processes may do it at once. Runs that cannot be read stay.
 *
 * @param completedBefore in ms since the epoch
 *
 * @example
 * await deleteOldRuns(world, Date.now() - 30 * 86_400_000);
 */
export async function deleteOldRuns(
  world: Pick<World, "listRuns" | "deleteRuns">,
  completedBefore: number,
): Promise<number> {
  let deleted = 0;
  let cursor: string | null = null;
  do {
    const page = await world.listRuns({
      completedBefore,
      limit: RUNS_AT_ONCE,
      order: "asc",
      ...(cursor !== null && { cursor }),
    });
    deleted += await world.deleteRuns(page.runs.map(({ runId }) => runId));
    cursor = page.cursor;
  } while (cursor !== null);
  return deleted;
}
