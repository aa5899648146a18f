import { parentOf } from "../parent.ts";
import { isTerminal, type RunRecord, type TerminalStatus } from "./run.ts";
import type { World } from "./world.ts";

/** Retention: which runs are old is the caller's to say; the store deletes what it is given. */

const RUNS_AT_ONCE = 200;

/** Which old runs go, and what is called in between. */
export interface DeleteOldRunsOptions {
  /** Runs that ended in one of these ways. Default: in any. */
  readonly statuses?: readonly TerminalStatus[];
  /** So many runs are looked at before the store does something else. Default 200. */
  readonly batch?: number;
  /** Called after each batch, with how many runs have been deleted so far; `false` ends it. */
  readonly onBatch?: (deleted: number) => boolean | Promise<boolean>;
}

/**
 * Deletes the runs that ended before a time, the oldest first, with all that belongs to them; returns how many. It goes page
 * by page, so no worker waits for long, and several processes may do it at once. What stays: runs that cannot be read, that have
 * work left, and those whose parent is stored and has not ended, for it may ask for them again.
 *
 * @param completedBefore in ms since the epoch
 *
 * @example
 * await deleteOldRuns(world, Date.now() - 30 * 86_400_000, { statuses: ["completed"] });
 */
export async function deleteOldRuns(
  world: Pick<World, "listRuns" | "deleteRuns" | "getRuns">,
  completedBefore: number,
  { statuses, batch = RUNS_AT_ONCE, onBatch }: DeleteOldRunsOptions = {},
): Promise<number> {
  let deleted = 0;
  let cursor: string | null = null;
  do {
    const page = await world.listRuns({
      completedBefore,
      limit: batch,
      order: "asc",
      ...(statuses !== undefined && { statuses }),
      ...(cursor !== null && { cursor }),
    });
    const runs = await withoutParentUnderWay(world, page.runs);
    if (runs.length > 0) deleted += await world.deleteRuns(runs.map(({ runId }) => runId));
    if (onBatch !== undefined && !(await onBatch(deleted))) break;
    cursor = page.cursor;
  } while (cursor !== null);
  return deleted;
}

async function withoutParentUnderWay(
  world: Pick<World, "getRuns">,
  runs: readonly RunRecord[],
): Promise<readonly RunRecord[]> {
  const parents = [...new Set(runs.map(parentOf).filter((id) => id !== undefined))];
  if (parents.length === 0) return runs;
  const rows = await world.getRuns(parents);
  const underWay = new Set(parents.filter((_, at) => rows[at] && !isTerminal(rows[at].status)));
  return runs.filter((run) => !underWay.has(parentOf(run) ?? ""));
}
