/** The database's side of `claim` and `renew`. */
import type { Tables } from "../schema.ts";
import { FUNCTION_SETTINGS, leaseEnd, storeNow } from "./clauses.ts";

/**
 * `claim_1`: the claimed rows, then one row with NULL for its id that tells the next due time (`due_at`) and the time by
 * which the claim judged (`created_at`). A question to which the answer is “nothing” takes no lock.
 */
export function claimFunction({ functions, runs }: Tables): string {
  return `
CREATE FUNCTION ${functions.claim}(
  p_now bigint, p_workflows text[], p_limit int, p_owner text, p_ttl bigint
) RETURNS TABLE (
  id bigint, run_id text, workflow text, status text, epoch int, seq int, mail_seq int, mail_done int, owner text,
  due_at bigint, output bytea, error bytea, idempotency_key text, created_at bigint, started_at bigint,
  completed_at bigint, lost boolean
)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_next bigint;
  v_latest bigint;
  v_taken bigint[] := '{}';
  v_lost boolean[] := '{}';
  v_row record;
BEGIN
  SELECT min(d.due_at) INTO v_next
  FROM unnest(p_workflows) AS w(workflow) CROSS JOIN LATERAL (
    SELECT r.due_at FROM ${runs} r WHERE r.workflow = w.workflow AND r.due_at IS NOT NULL ORDER BY r.due_at LIMIT 1
  ) d;

  IF v_next <= v_now AND p_limit > 0 THEN
    -- How far back the longest due of all these workflows lie, so that few rows of each are locked.
    SELECT max(d.due_at) INTO v_latest FROM (
      SELECT d.due_at FROM unnest(p_workflows) AS w(workflow) CROSS JOIN LATERAL (
        SELECT r.due_at FROM ${runs} r
        WHERE r.workflow = w.workflow AND r.due_at IS NOT NULL AND r.due_at <= v_now
        ORDER BY r.due_at LIMIT p_limit
      ) d ORDER BY d.due_at LIMIT p_limit
    ) d;
    -- Rows that others are taking are passed over; what is missing for them is looked for once more, further on.
    FOR v_pass IN 1..2 LOOP
      FOR v_row IN
        SELECT d.id, d.held FROM unnest(p_workflows) AS w(workflow) CROSS JOIN LATERAL (
          SELECT r.id, r.due_at, r.owner IS NOT NULL AS held FROM ${runs} r
          WHERE r.workflow = w.workflow AND r.due_at IS NOT NULL AND r.due_at <= v_latest AND r.id <> ALL (v_taken)
          ORDER BY r.due_at LIMIT p_limit - cardinality(v_taken)
          FOR NO KEY UPDATE SKIP LOCKED
        ) d ORDER BY d.due_at LIMIT p_limit - cardinality(v_taken)
      LOOP
        v_taken := v_taken || v_row.id;
        v_lost := v_lost || v_row.held;
      END LOOP;
      EXIT WHEN cardinality(v_taken) = p_limit OR v_latest = v_now;
      v_latest := v_now;
    END LOOP;

    RETURN QUERY
      UPDATE ${runs} r SET epoch = r.epoch + 1, owner = p_owner, due_at = ${leaseEnd("p_ttl")}
      FROM unnest(v_taken, v_lost) AS t(id, lost)
      WHERE r.id = t.id
      RETURNING r.id, r.run_id, r.workflow, r.status, r.epoch, r.seq, r.mail_seq, r.mail_done, r.owner, r.due_at,
        r.output, r.error, r.idempotency_key, r.created_at, r.started_at, r.completed_at, t.lost;

    SELECT min(d.due_at) INTO v_next
    FROM unnest(p_workflows) AS w(workflow) CROSS JOIN LATERAL (
      SELECT r.due_at FROM ${runs} r
      WHERE r.workflow = w.workflow AND r.due_at IS NOT NULL AND r.id <> ALL (v_taken) ORDER BY r.due_at LIMIT 1
    ) d;
  END IF;

  due_at := v_next;
  created_at := v_now;
  RETURN NEXT;
END $$;`;
}

/** `renew_1`: one row for each lease that is the caller's still. */
export function renewFunction({ functions, runs }: Tables): string {
  return `
CREATE FUNCTION ${functions.renew}(
  p_now bigint, p_run_ids text[], p_epochs int[], p_ttl bigint
) RETURNS TABLE (place int, mail_seq int)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_until bigint := ${leaseEnd("p_ttl")};
  v_row record;
BEGIN
  FOR v_row IN
    SELECT c.place, r.id, r.due_at, r.mail_seq
    FROM unnest(p_run_ids, p_epochs) WITH ORDINALITY AS c(run_id, epoch, place)
    JOIN ${runs} r ON r.run_id = c.run_id
    WHERE r.epoch = c.epoch AND r.owner IS NOT NULL
    ORDER BY r.run_id
    FOR NO KEY UPDATE OF r
  LOOP
    IF v_row.due_at < v_until THEN
      UPDATE ${runs} r SET due_at = v_until WHERE r.id = v_row.id;
    END IF;
    place := v_row.place;
    mail_seq := v_row.mail_seq;
    RETURN NEXT;
  END LOOP;
END $$;`;
}
