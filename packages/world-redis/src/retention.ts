/**
 * Deleting runs that have ended with everything that belongs to them, and what runs leave behind that were announced and never
 * created; see `names.ts`.
 */
import type { Connection } from "./connection.ts";
import type { Leftovers } from "./leftovers.ts";
import { DELETE, SWEEP } from "./lua/retention.ts";
import { divide } from "./partitions.ts";
import type { Reply } from "./schema.ts";
import { writing } from "./script.ts";
import { fromStored, type Stored, toStored } from "./text.ts";

const remove = writing("delete runs", DELETE);
const sweep = writing("sweep names", SWEEP);

// A script sweeps at most so many runs, so that no worker waits for long.
const RUNS_PER_SCRIPT = 50;

// A start that has not got through after so many milliseconds is given up. It would be safe at any age.
const UNBORN_FOR = 10 * 60 * 1_000;

export type DeleteRuns = (runIds: readonly string[]) => Promise<number>;

export function deleteRuns(connection: Connection, { releaseOf }: Leftovers): DeleteRuns {
  const { partitions } = connection;

  async function deleteIn(partition: number, ids: readonly Stored[]): Promise<number> {
    const reply = await connection.run(remove, partition, ids);
    const [count, ...named] = reply as readonly [number, ...Reply[]];
    await releaseOf((named as readonly Buffer[]).map(fromStored));
    return count;
  }

  async function sweepUp(partition: number): Promise<void> {
    for (;;) {
      const ids = await connection.run(sweep, partition, [String(UNBORN_FOR), String(RUNS_PER_SCRIPT)]);
      await releaseOf((ids as readonly Buffer[]).map(fromStored));
      if ((ids as readonly Buffer[]).length < RUNS_PER_SCRIPT) return;
    }
  }

  return async (runIds) => {
    for (let partition = 0; partition < partitions.count; partition++) await sweepUp(partition);
    let deleted = 0;
    const shares = divide([...new Set(runIds)].map(toStored), (id) => partitions.of(id));
    for (const { partition, items } of shares) deleted += await deleteIn(partition, items);
    return deleted;
  };
}
