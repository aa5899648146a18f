/** The database's side of `commit`: one call is one batch, one round trip and one transaction. */
import type { Tables } from "../tables.ts";
import { changeRows } from "./changes.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, leaseEnd, REFUSE_LATE, storeNow } from "./clauses.ts";

/**
 * `commit_1`. The arrays `p_run_ids` … `p_error_lengths` have one element per commit, those of the events (`p_event_…`)
 * and of the hook acts (`p_act_…`) name their commit by its position. Bytes lie one after the other in `p_bytes`; a length
 * of -1 is NULL, and -2, for output and error, leaves the column as it is. What changes seldom is in `p_changes`.
 */
export function commitFunction(tables: Tables): string {
  const { functions, runs, events, mail, hooks, locks } = tables;
  return `
CREATE FUNCTION ${functions.commit}(
  p_wait int, p_now bigint, p_sent_at bigint,
  p_run_ids text[], p_epochs int[], p_claims text[], p_seqs int[], p_counts int[], p_sizes bigint[], p_mail_done int[],
  p_leases text[], p_dues bigint[], p_statuses text[], p_started bigint[], p_completed bigint[], p_lost_claims int[],
  p_output_offsets int[], p_output_lengths int[], p_error_offsets int[], p_error_lengths int[],
  p_event_commits int[], p_event_seqs int[], p_event_types text[], p_event_ats bigint[], p_event_ids text[],
  p_event_names text[], p_event_offsets int[], p_event_lengths int[],
  p_act_commits int[], p_act_kinds text[], p_act_events int[], p_act_hooks text[], p_act_tokens text[],
  p_changes jsonb, p_bytes bytea
) RETURNS TABLE (place int, outcome text, number int, hook_id text, owner text)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  -- Times in the request are distances from the caller's clock.
  v_shift bigint := v_now - p_sent_at;
  v_size int := cardinality(p_run_ids);
  v_outcomes text[] := array_fill('finished'::text, ARRAY[v_size]);
  v_numbers int[] := array_fill(0, ARRAY[v_size]);
  -- The rows to write, by position; 0 where the commit is refused or in already.
  v_ids bigint[] := array_fill(0::bigint, ARRAY[v_size]);
  v_mail_done int[] := array_fill(0, ARRAY[v_size]);
  v_consumes boolean := false;
  v_finished bigint[] := '{}';
  v_repeated bigint[] := '{}';
  v_repeated_places int[] := '{}';
  -- By event: the run that has the token that the event asked for.
  v_owners text[];
  v_owner text;
  v_row record;
BEGIN${LIMIT_WAITS}
  FOR v_row IN
    SELECT c.place, c.seq AS asked_seq, c.count, c.mail_done AS asked_mail_done, c.lease,
      coalesce(r.epoch = c.epoch AND r.claim_id = c.claim, false) AS is_ours,
      r.id, r.status, r.seq, r.mail_seq, r.mail_done, r.owner IS NOT NULL AS held
    FROM unnest(p_run_ids, p_epochs, p_claims, p_seqs, p_counts, p_mail_done, p_leases)
      WITH ORDINALITY AS c(run_id, epoch, claim, seq, count, mail_done, lease, place)
    JOIN ${runs} r ON r.run_id = c.run_id
    ORDER BY r.run_id
    FOR NO KEY UPDATE OF r
  LOOP
    IF v_row.is_ours AND v_row.seq = v_row.asked_seq + v_row.count
      AND (v_row.count > 0 OR NOT v_row.held)
    THEN
      v_outcomes[v_row.place] := 'committed';
      v_numbers[v_row.place] := v_row.mail_seq;
      v_repeated := v_repeated || v_row.id;
      v_repeated_places := v_repeated_places || v_row.place::int;
    ELSIF v_row.status IN ('completed', 'failed', 'cancelled') THEN
      NULL;
    ELSIF NOT v_row.is_ours OR NOT v_row.held THEN
      v_outcomes[v_row.place] := 'fenced';
    ELSIF v_row.seq <> v_row.asked_seq THEN
      v_outcomes[v_row.place] := 'out_of_step';
      v_numbers[v_row.place] := v_row.seq;
    ELSE
      v_outcomes[v_row.place] := 'committed';
      v_numbers[v_row.place] := v_row.mail_seq;
      v_ids[v_row.place] := v_row.id;
      v_mail_done[v_row.place] := v_row.mail_done;
      v_consumes := v_consumes OR v_row.asked_mail_done > v_row.mail_done;
      IF v_row.lease = 'finish' THEN v_finished := v_finished || v_row.id; END IF;
    END IF;
  END LOOP;

  IF cardinality(p_act_commits) > 0 THEN
    v_owners := array_fill(NULL::text, ARRAY[cardinality(p_event_seqs)]);
    -- After the rows and before the first token is touched, so that batches never wait for each other in a circle.
    PERFORM pg_advisory_xact_lock(${locks}, b.bucket) FROM (
      SELECT DISTINCT hashtext(t.token) & 63 AS bucket FROM unnest(p_act_tokens) AS t(token)
      WHERE t.token IS NOT NULL ORDER BY 1
    ) b;
    FOR v_row IN
      SELECT v_ids[a.commit] AS id, a.kind, a.event, a.hook, a.token
      FROM unnest(p_act_commits, p_act_kinds, p_act_events, p_act_hooks, p_act_tokens)
        WITH ORDINALITY AS a(commit, kind, event, hook, token, place)
      WHERE v_ids[a.commit] <> 0
      ORDER BY a.place
    LOOP
      CASE v_row.kind
        WHEN 'take' THEN
          LOOP
            INSERT INTO ${hooks} (token, run, hook_id, seq)
            VALUES (v_row.token, v_row.id, v_row.hook, p_event_seqs[v_row.event])
            ON CONFLICT (token) DO NOTHING;
            EXIT WHEN FOUND;
            SELECT r.run_id INTO v_owner
            FROM ${hooks} h JOIN ${runs} r ON r.id = h.run WHERE h.token = v_row.token;
            -- The one that had it may have ended since.
            CONTINUE WHEN NOT FOUND;
            v_owners[v_row.event] := v_owner;
            EXIT;
          END LOOP;
        WHEN 'free' THEN
          DELETE FROM ${hooks} h WHERE h.run = v_row.id AND h.hook_id = v_row.hook;
        WHEN 'free all' THEN
          DELETE FROM ${hooks} h WHERE h.run = v_row.id;
      END CASE;
    END LOOP;
  ELSIF cardinality(v_finished) > 0 THEN
    DELETE FROM ${hooks} h WHERE h.run = ANY (v_finished);
  END IF;

  INSERT INTO ${events} (run, seq, type, at, id, name, data)
  SELECT v_ids[e.commit], e.seq,
    CASE WHEN v_owners[e.place] IS NULL THEN e.type ELSE 'hook_conflict' END,
    e.at, e.id, e.name,
    CASE WHEN v_owners[e.place] IS NOT NULL THEN convert_to(v_owners[e.place], 'UTF8')
      WHEN e.length >= 0 THEN substr(p_bytes, e.start, e.length) END
  FROM unnest(p_event_commits, p_event_seqs, p_event_types, p_event_ats, p_event_ids, p_event_names,
      p_event_offsets, p_event_lengths)
    WITH ORDINALITY AS e(commit, seq, type, at, id, name, start, length, place)
  WHERE v_ids[e.commit] <> 0;

  -- The payload of a consumed message is in the journal; what stays is its id, for messages sent twice.
  IF v_consumes THEN
    UPDATE ${mail} m SET data = NULL
    FROM unnest(v_ids, v_mail_done, p_mail_done) AS c(id, done, asked)
    WHERE c.id <> 0 AND m.run = c.id AND m.mail_seq > c.done AND m.mail_seq <= c.asked;
  END IF;
${changeRows(tables)}

  UPDATE ${runs} r SET
    seq = c.seq + c.count,
    bytes = r.bytes + c.size,
    mail_done = greatest(r.mail_done, c.mail_done),
    status = coalesce(c.status, r.status),
    owner = CASE WHEN c.lease = 'hold' THEN r.owner END,
    due_at = CASE c.lease
      WHEN 'hold' THEN greatest(r.due_at, ${leaseEnd("c.due")})
      WHEN 'park' THEN CASE
        WHEN r.mail_seq > greatest(r.mail_done, c.mail_done) THEN v_now
        ELSE c.due + v_shift END
      END,
    started_at = coalesce(c.started, r.started_at),
    completed_at = coalesce(c.completed, r.completed_at),
    lost_claims = coalesce(c.lost_claims, r.lost_claims),
    output = CASE c.output_length WHEN -2 THEN r.output WHEN -1 THEN NULL
      ELSE substr(p_bytes, c.output_start, c.output_length) END,
    error = CASE c.error_length WHEN -2 THEN r.error WHEN -1 THEN NULL
      ELSE substr(p_bytes, c.error_start, c.error_length) END
  FROM unnest(v_ids, p_seqs, p_counts, p_sizes, p_mail_done, p_leases, p_dues, p_statuses, p_started, p_completed,
      p_lost_claims, p_output_offsets, p_output_lengths, p_error_offsets, p_error_lengths)
    AS c(id, seq, count, size, mail_done, lease, due, status, started, completed, lost_claims,
      output_start, output_length, error_start, error_length)
  WHERE c.id <> 0 AND r.id = c.id;

  RETURN QUERY
    SELECT o.place::int, o.outcome, o.number, NULL::text, NULL::text
    FROM unnest(v_outcomes, v_numbers) WITH ORDINALITY AS o(outcome, number, place);
  IF v_owners IS NOT NULL THEN
    RETURN QUERY
      SELECT e.commit, 'conflict'::text, e.seq, e.id, v_owners[e.place]
      FROM unnest(p_event_commits, p_event_seqs, p_event_ids) WITH ORDINALITY AS e(commit, seq, id, place)
      WHERE v_owners[e.place] IS NOT NULL;
  END IF;
  IF cardinality(v_repeated) > 0 THEN
    RETURN QUERY
      SELECT c.place, 'conflict'::text, e.seq, e.id, convert_from(e.data, 'UTF8')
      FROM unnest(v_repeated, v_repeated_places) AS c(id, place)
      JOIN ${events} e ON e.run = c.id AND e.seq > p_seqs[c.place] AND e.seq <= p_seqs[c.place] + p_counts[c.place]
      WHERE e.type = 'hook_conflict';
  END IF;${REFUSE_LATE}
END $$;`;
}
