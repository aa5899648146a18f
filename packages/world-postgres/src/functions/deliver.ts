/** The database's side of `deliver`: lock the addressed runs, look again, number the new messages. */
import type { Tables } from "../tables.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE, storeNow } from "./clauses.ts";

/** `deliver_1`. A message has a run id or a token, the other is NULL; no message id twice. */
export function deliverFunction({ functions, runs, mail, hooks }: Tables): string {
  return `
CREATE FUNCTION ${functions.deliver}(
  p_wait int, p_now bigint, p_message_ids text[], p_run_ids text[], p_tokens text[], p_types text[],
  p_ats bigint[], p_offsets int[], p_lengths int[], p_bytes bytea
) RETURNS TABLE (place int, outcome text, run_id text, hook_id text, fresh boolean, wakes boolean)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_size int := cardinality(p_message_ids);
  v_locked bigint[] := '{}';
  -- By message: the run to whose mailbox it is added; 0 where there is nothing to add.
  v_targets bigint[] := array_fill(0::bigint, ARRAY[v_size]);
  v_hooks text[] := array_fill(NULL::text, ARRAY[v_size]);
  v_row record;
BEGIN${LIMIT_WAITS}
  FOR v_row IN
    SELECT r.id FROM ${runs} r
    WHERE r.id IN (
      SELECT a.id FROM unnest(p_run_ids) AS c(run_id) JOIN ${runs} a ON a.run_id = c.run_id
      UNION SELECT h.run FROM unnest(p_tokens) AS c(token) JOIN ${hooks} h ON h.token = c.token
    )
    ORDER BY r.run_id
    FOR NO KEY UPDATE OF r
  LOOP
    v_locked := v_locked || v_row.id;
  END LOOP;

  -- What is read from here on cannot change: hooks and mailbox of a run are written under the lock of its row.
  FOR v_row IN
    SELECT c.place, c.token IS NOT NULL AS by_token, sent.run_id AS sent_run_id, m.hook_id AS sent_hook_id, h.hook_id,
      coalesce(a.id, b.id) AS id, coalesce(a.run_id, b.run_id) AS run_id, coalesce(a.status, b.status) AS status,
      coalesce(a.owner, b.owner) IS NULL AS wakes
    FROM unnest(p_message_ids, p_run_ids, p_tokens) WITH ORDINALITY AS c(message_id, run_id, token, place)
    LEFT JOIN ${mail} m ON m.message_id = c.message_id
    LEFT JOIN ${runs} sent ON sent.id = m.run
    LEFT JOIN ${hooks} h ON h.token = c.token
    LEFT JOIN ${runs} a ON a.run_id = c.run_id
    LEFT JOIN ${runs} b ON b.id = h.run
    ORDER BY c.place
  LOOP
    place := v_row.place;
    run_id := v_row.run_id;
    hook_id := v_row.hook_id;
    fresh := false;
    wakes := false;
    IF v_row.sent_run_id IS NOT NULL THEN
      outcome := 'delivered';
      run_id := v_row.sent_run_id;
      hook_id := v_row.sent_hook_id;
    ELSIF v_row.id IS NULL THEN
      outcome := CASE WHEN v_row.by_token THEN 'no_such_hook' ELSE 'no_such_run' END;
    ELSIF v_row.id <> ALL (v_locked) THEN
      RAISE EXCEPTION 'a hook token changed hands under this delivery' USING ERRCODE = 'serialization_failure';
    ELSIF v_row.status IN ('completed', 'failed', 'cancelled') THEN
      outcome := 'finished';
    ELSE
      outcome := 'delivered';
      fresh := true;
      wakes := v_row.wakes;
      v_targets[v_row.place] := v_row.id;
      v_hooks[v_row.place] := v_row.hook_id;
    END IF;
    RETURN NEXT;
  END LOOP;

  INSERT INTO ${mail} (run, mail_seq, message_id, type, hook_id, at, data)
  SELECT c.run, r.mail_seq + row_number() OVER (PARTITION BY c.run ORDER BY c.place), c.message_id, c.type, c.hook_id,
    c.at, CASE WHEN c.length >= 0 THEN substr(p_bytes, c.start, c.length) END
  FROM unnest(v_targets, p_message_ids, p_types, v_hooks, p_ats, p_offsets, p_lengths)
    WITH ORDINALITY AS c(run, message_id, type, hook_id, at, start, length, place)
  JOIN ${runs} r ON r.id = c.run
  WHERE c.run <> 0;

  -- A run that was due already keeps its place in the queue.
  UPDATE ${runs} r SET
    mail_seq = r.mail_seq + c.count,
    due_at = CASE WHEN r.owner IS NULL THEN least(r.due_at, v_now) ELSE r.due_at END
  FROM (SELECT t.run, count(*)::int AS count FROM unnest(v_targets) AS t(run) WHERE t.run <> 0 GROUP BY t.run) c
  WHERE r.id = c.run;${REFUSE_LATE}
END $$;`;
}
