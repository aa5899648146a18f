/**
 * Deleting old runs with everything that belongs to them, and what runs leave behind that were announced and never
 * created; see `names.ts`.
 */
import type { DeleteRunsRequest } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { DELETE, SWEEP } from "./lua/retention.ts";
import type { Names } from "./names.ts";
import type { Reply } from "./schema.ts";
import { writing } from "./script.ts";
import { fromStored } from "./text.ts";

const remove = writing("delete runs", DELETE);
const sweep = writing("sweep names", SWEEP);

// A script deletes at most so many runs, so that no worker waits for long.
const RUNS_PER_SCRIPT = 50;

// A start that has not got through after so many milliseconds is given up. It would be safe at any age.
const UNBORN_FOR = 10 * 60 * 1_000;

export type DeleteRuns = (request: DeleteRunsRequest) => Promise<number>;

export function deleteRuns(connection: Connection, names: Names): DeleteRuns {
  async function deleteFrom(partition: number, before: number, limit: number): Promise<number> {
    let deleted = 0;
    while (deleted < limit) {
      const wanted = Math.min(limit - deleted, RUNS_PER_SCRIPT);
      const reply = await connection.run(remove, partition, [String(before), String(wanted)]);
      const [count, ...ids] = reply as readonly [number, ...Reply[]];
      await names.releaseOf((ids as readonly Buffer[]).map(fromStored));
      deleted += count;
      if (count < wanted) break;
    }
    return deleted;
  }

  async function sweepUp(partition: number): Promise<void> {
    for (;;) {
      const ids = await connection.run(sweep, partition, [String(UNBORN_FOR), String(RUNS_PER_SCRIPT)]);
      await names.releaseOf((ids as readonly Buffer[]).map(fromStored));
      if ((ids as readonly Buffer[]).length < RUNS_PER_SCRIPT) return;
    }
  }

  return async ({ completedBefore, limit }) => {
    let deleted = 0;
    for (let partition = 0; partition < connection.partitions.count; partition++) {
      await sweepUp(partition);
      if (deleted < limit) deleted += await deleteFrom(partition, completedBefore, limit - deleted);
    }
    return deleted;
  };
}
