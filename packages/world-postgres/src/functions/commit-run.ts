/** The database's side of a commit of one run, the kind that sequential workflows make. */
import type { Tables } from "../tables.ts";
import { LIMIT_WAITS, leaseEnd, REFUSE_LATE, SETTINGS_WITHOUT_JOINS, storeNow } from "./clauses.ts";

/**
 * `commit_run_1`: what `commit_1` does for a batch of one run that has no hook events, at half its cost. The update finds the
 * row only where the commit is in order; by it the commit is atomic. Where it finds none (a lost lease, an answer that
 * was lost, mail to consume) nothing is written yet, and `commit_1` decides.
 *
 * `p_changes` is false where the run only goes on: events, and the lease held. The answer is one text, the outcome and its
 * number, such as `committed 3`: a row of columns would be put into a table first.
 */
export function commitRunFunction({ functions, runs, events, hooks }: Tables): string {
  const inOrder = `
    WHERE r.run_id = p_run_id AND r.epoch = p_epoch AND r.claim_id = p_claim AND r.seq = p_seq
      AND r.mail_done >= p_mail_done AND r.owner IS NOT NULL
    RETURNING r.id, r.mail_seq INTO v_run, v_mail_seq;`;
  return `
CREATE FUNCTION ${functions.commitRun}(
  p_wait int, p_now bigint, p_sent_at bigint,
  p_run_id text, p_epoch int, p_claim text, p_seq int, p_size bigint, p_mail_done int, p_lease text, p_due bigint,
  p_changes boolean, p_status text, p_started bigint, p_completed bigint, p_lost_claims int,
  p_output_offset int, p_output_length int, p_error_offset int, p_error_length int,
  p_event_types text[], p_event_ats bigint[], p_event_ids text[], p_event_names text[],
  p_event_offsets int[], p_event_lengths int[], p_bytes bytea
) RETURNS text
LANGUAGE plpgsql ${SETTINGS_WITHOUT_JOINS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_count int := cardinality(p_event_types);
  v_run bigint;
  v_mail_seq int;
  v_answer text;
BEGIN${LIMIT_WAITS}
  IF NOT p_changes THEN
    UPDATE ${runs} r SET seq = p_seq + v_count, bytes = r.bytes + p_size,
      due_at = greatest(r.due_at, ${leaseEnd("p_due")})${inOrder}
  ELSE
    UPDATE ${runs} r SET
      seq = p_seq + v_count,
      bytes = r.bytes + p_size,
      status = coalesce(p_status, r.status),
      owner = CASE WHEN p_lease = 'hold' THEN r.owner END,
      due_at = CASE p_lease
        WHEN 'hold' THEN greatest(r.due_at, ${leaseEnd("p_due")})
        -- Times in the request are distances from the caller's clock.
        WHEN 'park' THEN CASE WHEN r.mail_seq > r.mail_done THEN v_now ELSE p_due + v_now - p_sent_at END
        END,
      started_at = coalesce(p_started, r.started_at),
      completed_at = coalesce(p_completed, r.completed_at),
      lost_claims = coalesce(p_lost_claims, r.lost_claims),
      output = CASE p_output_length WHEN -2 THEN r.output WHEN -1 THEN NULL
        ELSE substr(p_bytes, p_output_offset, p_output_length) END,
      error = CASE p_error_length WHEN -2 THEN r.error WHEN -1 THEN NULL
        ELSE substr(p_bytes, p_error_offset, p_error_length) END${inOrder}
  END IF;

  IF v_run IS NULL THEN
    SELECT c.outcome || ' ' || c.number INTO v_answer
    FROM ${functions.commit}(p_wait, p_now, p_sent_at,
      ARRAY[p_run_id], ARRAY[p_epoch], ARRAY[p_claim], ARRAY[p_seq], ARRAY[v_count], ARRAY[p_size], ARRAY[p_mail_done],
      ARRAY[p_lease], ARRAY[p_due], ARRAY[p_status], ARRAY[p_started], ARRAY[p_completed], ARRAY[p_lost_claims],
      ARRAY[p_output_offset], ARRAY[p_output_length], ARRAY[p_error_offset], ARRAY[p_error_length],
      array_fill(1, ARRAY[v_count]), ARRAY(SELECT generate_series(p_seq + 1, p_seq + v_count)),
      p_event_types, p_event_ats, p_event_ids, p_event_names, p_event_offsets, p_event_lengths,
      '{}', '{}', '{}', '{}', '{}', p_bytes) c;
    RETURN v_answer;
  END IF;

  INSERT INTO ${events} (run, seq, type, at, id, name, data)
  SELECT v_run, p_seq + e.place, e.type, e.at, e.id, e.name,
    CASE WHEN e.length >= 0 THEN substr(p_bytes, e.start, e.length) END
  FROM unnest(p_event_types, p_event_ats, p_event_ids, p_event_names, p_event_offsets, p_event_lengths)
    WITH ORDINALITY AS e(type, at, id, name, start, length, place);
  IF p_lease = 'finish' THEN DELETE FROM ${hooks} h WHERE h.run = v_run; END IF;${REFUSE_LATE}
  RETURN 'committed ' || v_mail_seq;
END $$;`;
}
