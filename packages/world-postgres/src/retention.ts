/**
 * Deleting old runs with everything that belongs to them.
 *
 * Level: READ COMMITTED (see `connection.ts`). Only rows of ended runs are locked, with SKIP LOCKED: no commit, claim or
 * delivery writes them any more, so none waits. Several processes may delete at once; each takes other runs.
 */
import type { DeleteRunsRequest } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { callOf, whole } from "./packing.ts";
import type { Tables } from "./tables.ts";

// A transaction deletes so many runs, or, of runs with long journals, as many as have so many rows.
const RUNS_PER_TRANSACTION = 200;
const ROWS_PER_TRANSACTION = 5_000;

export type DeleteRuns = (request: DeleteRunsRequest) => Promise<number>;

export function deleteRuns(connection: Connection, tables: Tables): DeleteRuns {
  const text = callOf(tables.functions.deleteRuns, ["bigint", "int", "int"]);

  return async ({ completedBefore, limit }) => {
    let deleted = 0;
    while (deleted < limit) {
      const most = Math.min(limit - deleted, RUNS_PER_TRANSACTION);
      const values = [whole(completedBefore), most, ROWS_PER_TRANSACTION];
      const [row] = await connection.call<Record<string, number>>("delete runs", text, values);
      const [some = 0] = Object.values(row ?? {});
      if (some === 0) break;
      deleted += some;
    }
    return deleted;
  };
}
