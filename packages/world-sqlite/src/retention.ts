/**
 * Deleting runs that have ended, with everything that belongs to them.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import { deleteStreams } from "./streams.ts";
import type { Tables } from "./tables.ts";
import { type StoredText, toStored } from "./text.ts";

// A transaction that has deleted so many rows ends, so that no worker waits for long. One run is never split.
const ROWS_PER_TRANSACTION = 2_000;
// Nor does it look for more runs than so many.
const RUNS_PER_TRANSACTION = 500;

interface EndedRun {
  readonly id: number;
  readonly workflow: StoredText;
  readonly idempotencyKey: StoredText | null;
  readonly rows: number;
}

export type DeleteRuns = (runIds: readonly string[]) => Promise<number>;

export function deleteRuns(connection: Connection, tables: Tables): DeleteRuns {
  const { runs, events, mail, hooks, startKeys, attributes } = tables;
  const selectEnded = connection.prepare<EndedRun>(
    "select ended run",
    `SELECT id, workflow, idempotency_key AS idempotencyKey, 1 + seq + mail_seq
       + (SELECT ifnull(sum(length), 0) FROM ${tables.streams} s WHERE s.run = ${runs}.id) AS rows
     FROM ${runs} WHERE run_id = ? AND status IN ('completed', 'failed', 'cancelled')`,
  );
  const deleteEvents = connection.prepare("delete events", `DELETE FROM ${events} WHERE run = ?`);
  const deleteMail = connection.prepare("delete mail", `DELETE FROM ${mail} WHERE run = ?`);
  const deleteHooks = connection.prepare("delete hooks", `DELETE FROM ${hooks} WHERE run = ?`);
  const deleteAttributes = connection.prepare("delete attributes", `DELETE FROM ${attributes} WHERE run = ?`);
  // The key may have gone to a later run.
  const deleteKey = connection.prepare(
    "delete start key",
    `DELETE FROM ${startKeys} WHERE workflow = ? AND key = ? AND run = ?`,
  );
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
      deleteHooks.run(run.id);
      deleteAttributes.run(run.id);
      deleteStreamsOf(run.id);
      if (run.idempotencyKey !== null) deleteKey.run(run.workflow, run.idempotencyKey, run.id);
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
