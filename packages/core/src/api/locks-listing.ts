import { LOCKS, type LockState, lockKeyFrom, readValue } from "../engine/locks/lock-record.ts";
import { checkOptionNames } from "../option-names.ts";
import type { World } from "../world/index.ts";

/** Lists of the locks that runs have or wait for. */

/** Which locks. */
export interface ListLocksOptions {
  /** Only those that this run has. */
  readonly runId?: string;
}

/** A lock that at least one run has. */
export interface LockInfo {
  /** What is locked; where that is longer than 200 characters, a hash of it. */
  readonly key: string;
  /** How many runs may have it at a time. */
  readonly limit: number;
  readonly holders: readonly { readonly runId: string; readonly fence: number }[];
  /** How many places its line has, those of runs that wait no more included. */
  readonly waiting: number;
}

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
  const locks: LockInfo[] = [];
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
  return locks;
}
