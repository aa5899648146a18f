/** The database's side of `createRuns`: keys first, then all new runs at once. */
import type { Tables } from "../tables.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, leaseEnd, REFUSE_LATE, storeNow } from "./clauses.ts";

/** `create_runs_1`. One element per run in every array; no run id twice. A start without key has a NULL fingerprint. */
export function createRunsFunction({ functions, runs, events, startKeys, runIds }: Tables): string {
  return `
CREATE FUNCTION ${functions.createRuns}(
  p_wait int, p_now bigint, p_sent_at bigint,
  p_run_ids text[], p_workflows text[], p_dues bigint[], p_keys text[], p_fingerprints text[], p_expiries bigint[],
  p_owners text[], p_claims text[], p_ttls bigint[],
  p_event_types text[], p_event_ats bigint[], p_event_ids text[], p_event_names text[],
  p_event_offsets int[], p_event_lengths int[], p_bytes bytea
) RETURNS TABLE (place int, outcome text, leased boolean, holder text)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  -- Times in the request are distances from the caller's clock.
  v_shift bigint := v_now - p_sent_at;
  v_size int := cardinality(p_run_ids);
  v_keyed boolean := num_nulls(VARIADIC p_fingerprints) < v_size;
  v_outcomes text[] := array_fill('new'::text, ARRAY[v_size]);
  v_leased boolean[] := array_fill(false, ARRAY[v_size]);
  v_holders text[] := array_fill(NULL::text, ARRAY[v_size]);
  v_ids bigint[];
  v_new int := v_size;
  v_made int;
  v_row record;
  v_key record;
  v_free boolean;
BEGIN${LIMIT_WAITS}
  -- Without keys nothing is decided by what is there but by the insertion itself, below.
  IF v_keyed THEN
    FOR v_row IN
      SELECT c.place, r.epoch = 1 AND r.owner IS NOT NULL AND r.claim_id = c.claim AS leased
      FROM unnest(p_run_ids, p_claims) WITH ORDINALITY AS c(run_id, claim, place)
      JOIN ${runs} r ON r.run_id = c.run_id
    LOOP
      v_outcomes[v_row.place] := 'created';
      v_leased[v_row.place] := coalesce(v_row.leased, false);
    END LOOP;

    -- Whoever inserts the key first has it; the others wait here for the end of that transaction. All batches take keys in
    -- one order, so they do not wait in a circle.
    FOR v_row IN
      SELECT c.place, c.run_id, c.workflow, c.key, c.fingerprint, c.expiry + v_shift AS expiry
      FROM unnest(p_run_ids, p_workflows, p_keys, p_fingerprints, p_expiries)
        WITH ORDINALITY AS c(run_id, workflow, key, fingerprint, expiry, place)
      WHERE c.fingerprint IS NOT NULL
      ORDER BY c.workflow COLLATE "C", c.key COLLATE "C", c.place
    LOOP
      CONTINUE WHEN v_outcomes[v_row.place] <> 'new';
      LOOP
        INSERT INTO ${startKeys} (workflow, key, run_id, fingerprint, expires_at)
        VALUES (v_row.workflow, v_row.key, v_row.run_id, v_row.fingerprint, v_row.expiry)
        ON CONFLICT (workflow, key) DO NOTHING;
        EXIT WHEN FOUND;
        SELECT k.run_id, k.fingerprint, k.expires_at INTO v_key FROM ${startKeys} k
        WHERE k.workflow = v_row.workflow AND k.key = v_row.key FOR NO KEY UPDATE;
        -- Deleted since, together with its run.
        CONTINUE WHEN NOT FOUND;
        -- The same request, sent a moment earlier.
        EXIT WHEN v_key.run_id = v_row.run_id;
        SELECT r.status IN ('completed', 'failed', 'cancelled') AND v_key.expires_at <= v_now INTO v_free
        FROM ${runs} r WHERE r.run_id = v_key.run_id;
        IF v_free THEN
          UPDATE ${startKeys} k
          SET run_id = v_row.run_id, fingerprint = v_row.fingerprint, expires_at = v_row.expiry
          WHERE k.workflow = v_row.workflow AND k.key = v_row.key;
        ELSE
          v_outcomes[v_row.place] :=
            CASE WHEN v_key.fingerprint = v_row.fingerprint THEN 'exists' ELSE 'mismatch' END;
          v_holders[v_row.place] := v_key.run_id;
        END IF;
        EXIT;
      END LOOP;
    END LOOP;
    v_new := (SELECT count(*) FROM unnest(v_outcomes) AS o(outcome) WHERE o.outcome = 'new');
  END IF;

  IF v_new > 0 THEN
    v_ids := ARRAY(SELECT nextval('${runIds}') FROM generate_series(1, v_size));
    INSERT INTO ${runs} (id, run_id, workflow, status, epoch, claim_id, lost_claims, seq, bytes, mail_seq, mail_done,
      owner, due_at, created_at, idempotency_key)
    SELECT v_ids[c.place], c.run_id, c.workflow, 'pending', CASE WHEN c.owner IS NULL THEN 0 ELSE 1 END, c.claim, 0, 1,
      greatest(c.length, 0), 0, 0, c.owner,
      CASE WHEN c.owner IS NOT NULL THEN ${leaseEnd("c.ttl")} ELSE c.due + v_shift END,
      c.at, c.key
    FROM unnest(p_run_ids, p_workflows, p_owners, p_claims, p_ttls, p_dues, p_event_ats, p_event_lengths, p_keys)
      WITH ORDINALITY AS c(run_id, workflow, owner, claim, ttl, due, at, length, key, place)
    WHERE v_outcomes[c.place] = 'new'
    ORDER BY c.run_id COLLATE "C"
    ON CONFLICT (run_id) DO NOTHING;
    GET DIAGNOSTICS v_made = ROW_COUNT;

    -- The same run was created a moment earlier by another sending of the same request.
    IF v_made < v_new THEN
      FOR v_row IN
        SELECT c.place, r.epoch = 1 AND r.owner IS NOT NULL AND r.claim_id = c.claim AS leased
        FROM unnest(v_ids, p_run_ids, p_claims) WITH ORDINALITY AS c(id, run_id, claim, place)
        JOIN ${runs} r ON r.run_id = c.run_id
        WHERE v_outcomes[c.place] = 'new' AND r.id <> c.id
      LOOP
        v_outcomes[v_row.place] := 'created';
        v_leased[v_row.place] := coalesce(v_row.leased, false);
        v_new := v_new - 1;
      END LOOP;
      IF v_made < v_new THEN
        RAISE EXCEPTION 'a run was deleted under this start' USING ERRCODE = 'serialization_failure';
      END IF;
    END IF;

    INSERT INTO ${events} (run, seq, type, at, id, name, data)
    SELECT c.run, 1, c.type, c.at, c.id, c.name,
      CASE WHEN c.length >= 0 THEN substr(p_bytes, c.start, c.length) END
    FROM unnest(v_ids, p_event_types, p_event_ats, p_event_ids, p_event_names, p_event_offsets, p_event_lengths)
      WITH ORDINALITY AS c(run, type, at, id, name, start, length, place)
    WHERE v_outcomes[c.place] = 'new';
  END IF;

  RETURN QUERY
    SELECT o.place::int, o.outcome,
      CASE WHEN o.outcome = 'new' THEN p_owners[o.place] IS NOT NULL ELSE o.leased END, o.holder
    FROM unnest(v_outcomes, v_leased, v_holders) WITH ORDINALITY AS o(outcome, leased, holder, place);${REFUSE_LATE}
END $$;`;
}
