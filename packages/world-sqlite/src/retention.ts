/**
 * Deleting runs that have ended and have no work left, with everything that belongs to them.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import { deleteStreams } from "./streams.ts";
import type { Tables } from "./tables.ts";
import { toStored } from "./text.ts";

// A transaction that has deleted so many rows ends, so that no worker waits for long. One run is never split.
const ROWS_PER_TRANSACTION = 2_000;
// Nor does it look for more runs than so many.
const RUNS_PER_TRANSACTION = 500;

interface EndedRun {
  readonly id: number;
  readonly rows: number;
}

export type DeleteRuns = (runIds: readonly string[]) => Promise<number>;

export function deleteRuns(connection: Connection, tables: Tables): DeleteRuns {
  const { runs, events, mail, names, attributes } = tables;
  const selectEnded = connection.prepare<EndedRun>(
    "select ended run",
    `SELECT id, 1 + seq - first_seq + mail_seq + end_seq
       + (SELECT ifnull(sum(length), 0) FROM ${tables.streams} s WHERE s.run = ${runs}.id) AS rows
     FROM ${runs} WHERE run_id = ? AND status IN ('completed', 'failed', 'cancelled') AND owner IS NULL AND due_at IS NULL`,
  );
  const deleteEvents = connection.prepare("delete events", `DELETE FROM ${events} WHERE run = ?`);
  const deleteMail = connection.prepare("delete mail", `DELETE FROM ${mail} WHERE run = ?`);
  const deleteNames = connection.prepare("delete names", `DELETE FROM ${names} WHERE run = ?`);
  const deleteAttributes = connection.prepare("delete attributes", `DELETE FROM ${attributes} WHERE run = ?`);
  const deleteRun = connection.prepare("delete run", `DELETE FROM ${runs} WHERE id = ?`);

  const deleteStreamsOf = deleteStreams(connection, tables);

  /** Deletes the first of these runs; tells how many, and how many ids it has looked at. */
  function deleteFirst(runIds: readonly string[]): { readonly deleted: number; readonly looked: number } {
    let deleted = 0;
    let looked = 0;
    let rows = 0;
    for (const runId of runIds.slice(0, RUNS_PER_TRANSACTION)) {
      if (rows >= ROWS_PER_TRANSACTION) break;
      looked += 1;
      const run = selectEnded.get(toStored(runId));
      if (run === undefined) continue;
      deleteEvents.run(run.id);
      deleteMail.run(run.id);
      deleteNames.run(run.id);
      deleteAttributes.run(run.id);
      deleteStreamsOf(run.id);
      deleteRun.run(run.id);
      deleted += 1;
      rows += run.rows;
    }
    return { deleted, looked };
  }

  return async (runIds) => {
    let deleted = 0;
    for (let at = 0; at < runIds.length; ) {
      const some = await connection.write(() => deleteFirst(runIds.slice(at)));
      deleted += some.deleted;
      at += some.looked;
      await nextTurn();
    }
    return deleted;
  };
}
