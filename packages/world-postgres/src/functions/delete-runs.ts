/** The database's side of `deleteRuns`: a few whole runs in one transaction. */
import type { Tables } from "../tables.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE } from "./clauses.ts";
import { deleteStreams } from "./streams.ts";

/**
 * `delete_runs_1`: deletes those of the runs that have ended, and goes no further in the array once they had `p_rows` rows.
 * Answers how many it deleted, and how many ids it went through.
 */
export function deleteRunsFunction(tables: Tables): string {
  const { functions, runs, events, mail, hooks, startKeys, attributes, streams } = tables;
  return `
CREATE FUNCTION ${functions.deleteRuns}(p_wait int, p_run_ids text[], p_rows int, OUT deleted int, OUT looked int)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
DECLARE
  v_ids bigint[] := '{}';
  v_rows bigint := 0;
  v_row record;
BEGIN${LIMIT_WAITS}
  looked := cardinality(p_run_ids);
  FOR v_row IN
    SELECT r.id, c.place, 1 + r.seq + r.mail_seq
      + (SELECT coalesce(sum(s.length), 0) FROM ${streams} s WHERE s.run = r.id) AS rows
    FROM unnest(p_run_ids) WITH ORDINALITY AS c(run_id, place) JOIN ${runs} r ON r.run_id = c.run_id
    WHERE r.status IN ('completed', 'failed', 'cancelled')
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

  -- The key may have gone to a later run.
  DELETE FROM ${startKeys} k USING ${runs} r
  WHERE r.id = ANY (v_ids) AND k.workflow = r.workflow AND k.key = r.idempotency_key AND k.run_id = r.run_id;
  DELETE FROM ${events} e WHERE e.run = ANY (v_ids);
  DELETE FROM ${mail} m WHERE m.run = ANY (v_ids);
  DELETE FROM ${hooks} h WHERE h.run = ANY (v_ids);
  DELETE FROM ${attributes} a WHERE a.run = ANY (v_ids);${deleteStreams(tables)}
  DELETE FROM ${runs} r WHERE r.id = ANY (v_ids);${REFUSE_LATE}
  deleted := cardinality(v_ids);
END $$;`;
}
