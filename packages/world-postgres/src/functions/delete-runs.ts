/** The database's side of `deleteRuns`: a few whole runs in one transaction. */
import { type Parameters, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { ENDED, FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE } from "./clauses.ts";
import { lockNames } from "./names.ts";
import { deleteStreams } from "./streams.ts";

/** Runs to delete. */
export interface DeleteCall {
  /** In their stored form. */
  readonly runIds: readonly string[];
  readonly rows: number;
}

/** The parameters of `delete_runs_1`. */
export const DELETE_RUNS: Parameters<DeleteCall> = {
  p_run_ids: value("text[]", ({ runIds }) => runIds),
  p_rows: value("int", ({ rows }) => rows),
};

/**
 * `delete_runs_1`: deletes those of the runs that have ended and have no work left, and goes no further in the array once they had `p_rows` rows.
 * Answers how many it deleted, and how many ids it went through.
 */
export function deleteRunsFunction(tables: Tables): string {
  const { functions, runs, events, mail, names, attributes, streams } = tables;
  return `
CREATE FUNCTION ${functions.deleteRuns}(${signatureOf(DELETE_RUNS)}, OUT deleted int, OUT looked int)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
DECLARE
  v_ids bigint[] := '{}';
  v_rows bigint := 0;
  v_row record;
BEGIN${LIMIT_WAITS}
  looked := cardinality(p_run_ids);
  FOR v_row IN
    SELECT r.id, c.place, 1 + r.seq - r.swept_seq + r.mail_seq + r.end_seq
      + (SELECT coalesce(sum(s.length), 0) FROM ${streams} s WHERE s.run = r.id) AS rows
    FROM unnest(p_run_ids) WITH ORDINALITY AS c(run_id, place) JOIN ${runs} r ON r.run_id = c.run_id
    WHERE r.status ${ENDED} AND r.owner IS NULL AND r.due_at IS NULL
    ORDER BY c.place
    FOR UPDATE OF r SKIP LOCKED
  LOOP
    IF v_rows >= p_rows THEN
      looked := v_row.place - 1;
      EXIT;
    END IF;
    v_ids := v_ids || v_row.id;
    v_rows := v_rows + v_row.rows;
  END LOOP;

  ${lockNames(tables, "n.run = ANY (v_ids)")}
  DELETE FROM ${names} n WHERE n.run = ANY (v_ids);
  DELETE FROM ${events} e WHERE e.run = ANY (v_ids);
  DELETE FROM ${mail} m WHERE m.run = ANY (v_ids);
  DELETE FROM ${attributes} a WHERE a.run = ANY (v_ids);${deleteStreams(tables)}
  DELETE FROM ${runs} r WHERE r.id = ANY (v_ids);${REFUSE_LATE}
  deleted := cardinality(v_ids);
END $$;`;
}
