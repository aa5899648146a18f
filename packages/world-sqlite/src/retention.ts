/**
 * Deleting old runs with everything that belongs to them.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DeleteRunsRequest } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { deleteStreams } from "./streams.ts";
import type { Tables } from "./tables.ts";
import type { StoredText } from "./text.ts";

// A transaction that has deleted so many rows ends, so that no worker waits for long. One run is never split.
const ROWS_PER_TRANSACTION = 2_000;

interface OldRun {
  readonly id: number;
  readonly workflow: StoredText;
  readonly idempotencyKey: StoredText | null;
  readonly rows: number;
}

export type DeleteRuns = (request: DeleteRunsRequest) => Promise<number>;

export function deleteRuns(connection: Connection, tables: Tables): DeleteRuns {
  const { runs, events, mail, hooks, startKeys } = tables;
  const selectOld = connection.prepare<OldRun>(
    "select old run",
    `SELECT id, workflow, idempotency_key AS idempotencyKey, 1 + seq + mail_seq
       + (SELECT ifnull(sum(length), 0) FROM ${tables.streams} s WHERE s.run = ${runs}.id) AS rows
     FROM ${runs} INDEXED BY ${runs}_completed
     WHERE completed_at < ? AND status IN ('completed', 'failed', 'cancelled') ORDER BY completed_at LIMIT 1`,
  );
  const deleteEvents = connection.prepare("delete events", `DELETE FROM ${events} WHERE run = ?`);
  const deleteMail = connection.prepare("delete mail", `DELETE FROM ${mail} WHERE run = ?`);
  const deleteHooks = connection.prepare("delete hooks", `DELETE FROM ${hooks} WHERE run = ?`);
  // The key may have gone to a later run.
  const deleteKey = connection.prepare(
    "delete start key",
    `DELETE FROM ${startKeys} WHERE workflow = ? AND key = ? AND run = ?`,
  );
  const deleteRun = connection.prepare("delete run", `DELETE FROM ${runs} WHERE id = ?`);

  const deleteStreamsOf = deleteStreams(connection, tables);

  function deleteSome({ completedBefore }: DeleteRunsRequest, limit: number): number {
    let deleted = 0;
    let rows = 0;
    while (deleted < limit && rows < ROWS_PER_TRANSACTION) {
      const run = selectOld.get(completedBefore);
      if (run === undefined) break;
      deleteEvents.run(run.id);
      deleteMail.run(run.id);
      deleteHooks.run(run.id);
      deleteStreamsOf(run.id);
      if (run.idempotencyKey !== null) deleteKey.run(run.workflow, run.idempotencyKey, run.id);
      deleteRun.run(run.id);
      deleted += 1;
      rows += run.rows;
    }
    return deleted;
  }

  return async (request) => {
    let deleted = 0;
    while (deleted < request.limit) {
      const some = await connection.write(() => deleteSome(request, request.limit - deleted));
      if (some === 0) break;
      deleted += some;
      await nextTurn();
    }
    return deleted;
  };
}
