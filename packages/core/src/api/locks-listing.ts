import { LOCKS, type LockState, lockKeyFrom, readValue } from "../engine/locks/lock-record.ts";
import { WorldError } from "../errors/index.ts";
import { checkOptionNames } from "../option-names.ts";
import type { RunRecord, RunStatus, World } from "../world/index.ts";

/** Lists of the locks that runs have or wait for. */

/** Which locks. */
export interface ListLocksOptions {
  /** Only those that this run has. */
  readonly runId?: string;
}

/** A run that has a lock. */
export interface LockHolder {
  readonly runId: string;
  readonly fence: number;
  /** A `"diverged"` one keeps the lock until it is retried and gives it back, or is cancelled. `null`: its row is gone, or cannot be read. */
  readonly status: RunStatus | null;
}

/** A lock that at least one run has. */
export interface LockInfo {
  /** What is locked; where that is longer than 200 characters, a hash of it. */
  readonly key: string;
  /** How many runs may have it at a time. */
  readonly limit: number;
  readonly holders: readonly LockHolder[];
  /** How many places its line has, those of runs that wait no more included. */
  readonly waiting: number;
}

type Held = Omit<LockInfo, "holders"> & { readonly holders: readonly Omit<LockHolder, "status">[] };

const PAGE = 200;

/** @throws {TypeError} for an option that cannot be meant */
export function locksQuery(options: ListLocksOptions): ListLocksOptions {
  checkOptionNames<ListLocksOptions>("listLocks()", options, { runId: true });
  return options;
}

/** The locks that runs have. */
export async function locksOf(
  world: World,
  { runId }: ListLocksOptions,
  now: number,
): Promise<readonly LockInfo[]> {
  const locks: Held[] = [];
  let cursor: string | null = null;
  do {
    const page = await world.listRecords({
      prefix: LOCKS,
      limit: PAGE,
      now,
      ...(cursor !== null && { cursor }),
    });
    for (const { key, value } of page.records) {
      const { limit, holders, head, tail } = readValue<LockState>(value);
      if (holders.length === 0 || (runId !== undefined && !holders.some((holder) => holder.runId === runId)))
        continue;
      locks.push({
        key: lockKeyFrom(key),
        limit,
        holders: holders.map((holder) => ({ runId: holder.runId, fence: holder.fence })),
        waiting: tail - head,
      });
    }
    cursor = page.cursor;
  } while (cursor !== null);
  const statuses = await statusesOf(
    world,
    locks.flatMap(({ holders }) => holders.map((holder) => holder.runId)),
  );
  return locks.map((lock) => ({
    ...lock,
    holders: lock.holders.map((holder) => ({ ...holder, status: statuses.get(holder.runId) ?? null })),
  }));
}

async function statusesOf(world: World, runIds: readonly string[]): Promise<Map<string, RunStatus>> {
  const statuses = new Map<string, RunStatus>();
  const all = [...new Set(runIds)];
  for (let from = 0; from < all.length; from += PAGE) {
    for (const row of await rowsOf(world, all.slice(from, from + PAGE))) {
      if (row !== null) statuses.set(row.runId, row.status);
    }
  }
  return statuses;
}

/** One that is damaged hides none of the others. */
async function rowsOf(world: World, runIds: readonly string[]): Promise<readonly (RunRecord | null)[]> {
  try {
    return await world.getRuns(runIds);
  } catch (error) {
    if (!WorldError.is(error) || !error.damaged) throw error;
    if (runIds.length === 1) return [null];
    const rows = await Promise.all(runIds.map((runId) => rowsOf(world, [runId])));
    return rows.flat();
  }
}
