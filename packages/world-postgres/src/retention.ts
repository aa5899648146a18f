/**
 * Deleting runs that have ended, with everything that belongs to them.
 *
 * Level: READ COMMITTED (see `connection.ts`). Only rows of ended runs are locked, with SKIP LOCKED: no commit, claim or
 * delivery writes them any more, so none waits. Several processes may delete at once; each takes other runs.
 */
import type { Connection } from "./connection.ts";
import { DELETE_RUNS } from "./functions/delete-runs.ts";
import { callOf, valuesOf } from "./parameters.ts";
import type { Tables } from "./tables.ts";
import { toStored } from "./text.ts";

// A transaction deletes so many runs, or, of runs with long journals, as many as have so many rows.
const RUNS_PER_TRANSACTION = 200;
const ROWS_PER_TRANSACTION = 5_000;

export type DeleteRuns = (runIds: readonly string[]) => Promise<number>;

export function deleteRuns(connection: Connection, tables: Tables): DeleteRuns {
  const text = callOf(tables.functions.deleteRuns, DELETE_RUNS);

  return async (runIds) => {
    const ids = [...new Set(runIds)].map(toStored);
    let deleted = 0;
    for (let at = 0; at < ids.length; ) {
      const part = ids.slice(at, at + RUNS_PER_TRANSACTION);
      const values = valuesOf(DELETE_RUNS, { runIds: part, rows: ROWS_PER_TRANSACTION });
      const [row] = await connection.call<{ deleted: number; looked: number }>("delete runs", text, values);
      deleted += row?.deleted ?? 0;
      at += row?.looked ?? part.length;
    }
    return deleted;
  };
}
