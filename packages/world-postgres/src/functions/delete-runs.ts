/** The database's side of `deleteRuns`: a few whole runs in one transaction. */
import type { Tables } from "../tables.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE } from "./clauses.ts";
import { deleteStreams } from "./streams.ts";

/** `delete_runs_1`: deletes at most `p_limit` runs, and no more once they had `p_rows` rows; returns how many. */
export function deleteRunsFunction(tables: Tables): string {
  const { functions, runs, events, mail, hooks, startKeys, streams } = tables;
  return `
CREATE FUNCTION ${functions.deleteRuns}(p_wait int, p_completed_before bigint, p_limit int, p_rows int)
RETURNS int
LANGUAGE plpgsql ${FUNCTION_SETTINGS} SET enable_sort = off AS $$
DECLARE
  v_ids bigint[] := '{}';
  v_rows bigint := 0;
  v_row record;
BEGIN${LIMIT_WAITS}
  FOR v_row IN
    SELECT r.id, 1 + r.seq + r.mail_seq
      + (SELECT coalesce(sum(s.length), 0) FROM ${streams} s WHERE s.run = r.id) AS rows
    FROM ${runs} r
    WHERE r.completed_at IS NOT NULL AND r.completed_at < p_completed_before
      AND r.status IN ('completed', 'failed', 'cancelled')
    ORDER BY r.completed_at LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN v_rows >= p_rows;
    v_ids := v_ids || v_row.id;
    v_rows := v_rows + v_row.rows;
  END LOOP;

  -- The key may have gone to a later run.
  DELETE FROM ${startKeys} k USING ${runs} r
  WHERE r.id = ANY (v_ids) AND k.workflow = r.workflow AND k.key = r.idempotency_key AND k.run_id = r.run_id;
  DELETE FROM ${events} e WHERE e.run = ANY (v_ids);
  DELETE FROM ${mail} m WHERE m.run = ANY (v_ids);
  DELETE FROM ${hooks} h WHERE h.run = ANY (v_ids);${deleteStreams(tables)}
  DELETE FROM ${runs} r WHERE r.id = ANY (v_ids);${REFUSE_LATE}
  RETURN cardinality(v_ids);
END $$;`;
}
