/** The database's side of the commit that a run makes most often: events, and the lease held on. */
import type { Tables } from "../tables.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, leaseEnd, REFUSE_LATE, storeNow } from "./clauses.ts";

/**
 * `commit_step_1`: what `commit_1` does for a batch of one run that goes on, at little more than half its cost. The update finds the
 * row only where the commit is in order; by it the commit is atomic. Where it finds none (a lost lease, an answer that
 * was lost, mail to consume) nothing is written yet, and `commit_1` decides.
 */
export function commitStepFunction({ functions, runs, events }: Tables): string {
  return `
CREATE FUNCTION ${functions.commitStep}(
  p_wait int, p_now bigint, p_run_id text, p_epoch int, p_claim text, p_seq int, p_mail_done int, p_ttl bigint,
  p_event_types text[], p_event_ats bigint[], p_event_ids text[], p_event_names text[],
  p_event_offsets int[], p_event_lengths int[], p_bytes bytea,
  OUT place int, OUT outcome text, OUT number int, OUT hook_id text, OUT owner text
) LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_count int := cardinality(p_event_types);
  v_run bigint;
  v_mail_seq int;
BEGIN${LIMIT_WAITS}
  UPDATE ${runs} r SET seq = p_seq + v_count, bytes = r.bytes + length(p_bytes), due_at = greatest(r.due_at, ${leaseEnd("p_ttl")})
  WHERE r.run_id = p_run_id AND r.epoch = p_epoch AND r.claim_id = p_claim AND r.seq = p_seq
    AND r.mail_done >= p_mail_done AND r.owner IS NOT NULL
  RETURNING r.id, r.mail_seq INTO v_run, v_mail_seq;

  IF v_run IS NULL THEN
    SELECT c.place, c.outcome, c.number INTO place, outcome, number
    FROM ${functions.commit}(p_wait, p_now, NULL,
      ARRAY[p_run_id], ARRAY[p_epoch], ARRAY[p_claim], ARRAY[p_seq], ARRAY[v_count], ARRAY[length(p_bytes)::bigint],
      ARRAY[p_mail_done],
      '{hold}', ARRAY[p_ttl], ARRAY[NULL::text], ARRAY[NULL::bigint], ARRAY[NULL::bigint], ARRAY[NULL::int],
      '{1}', '{-2}', '{1}', '{-2}',
      array_fill(1, ARRAY[v_count]), ARRAY(SELECT generate_series(p_seq + 1, p_seq + v_count)),
      p_event_types, p_event_ats, p_event_ids, p_event_names, p_event_offsets, p_event_lengths,
      '{}', '{}', '{}', '{}', '{}', p_bytes) c;
    RETURN;
  END IF;

  INSERT INTO ${events} (run, seq, type, at, id, name, data)
  SELECT v_run, p_seq + e.place, e.type, e.at, e.id, e.name,
    CASE WHEN e.length >= 0 THEN substr(p_bytes, e.start, e.length) END
  FROM unnest(p_event_types, p_event_ats, p_event_ids, p_event_names, p_event_offsets, p_event_lengths)
    WITH ORDINALITY AS e(type, at, id, name, start, length, place);

  place := 1;
  outcome := 'committed';
  number := v_mail_seq;${REFUSE_LATE}
END $$;`;
}
