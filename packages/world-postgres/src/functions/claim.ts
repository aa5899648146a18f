/** The database's side of `claim` and `renew`. */
import type { ClaimRequest, Lease } from "@perdure/core/world";
import { whole } from "../packing.ts";
import { column, type Parameters, rowsOf, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored } from "../text.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, leaseEnd, REFUSE_LATE, storeNow } from "./clauses.ts";

/** A claim as it is sent. */
export interface ClaimCall {
  /** The caller's time, where leases are judged by it. */
  readonly now: number | null;
  readonly request: ClaimRequest;
}

/** The parameters of `claim_1`: queues, or the ids of runs; the other array is empty. */
export const CLAIM: Parameters<ClaimCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_queues: value("text[]", ({ request: { queues, runIds } }) =>
    runIds === undefined ? [...new Set(queues)].map(toStored) : [],
  ),
  p_run_ids: value("text[]", ({ request }) => (request.runIds ?? []).map(toStored)),
  p_limit: value("int", ({ request }) => request.limit),
  p_bytes: value("bigint", ({ request }) => Math.min(whole(request.byteLimit), Number.MAX_SAFE_INTEGER)),
  p_owner: value("text", ({ request }) => toStored(request.owner)),
  p_claim: value("text", ({ request }) => toStored(request.claimId)),
  p_ttl: value("bigint", ({ request }) => whole(request.ttl)),
};

/**
 * `claim_1`: gives the claimed rows, then one row with NULL for its id that tells the next due time (`due_at`) and the time by
 * which the claim judged (`created_at`), and whether it had time for what waits in the outbox (`lost`). A question to which the answer is “nothing” takes no lock. The payloads of a
 * row stay where they are: one that cannot be read must not hold up the others.
 */
export function claimFunction({ functions, runs, outbox }: Tables): string {
  return `
CREATE FUNCTION ${functions.claim}(${signatureOf(CLAIM)}) RETURNS TABLE (
  id bigint, run_id text, workflow text, queue text, status text, epoch int, claim_id text, lost_claims int,
  generation int, first_seq int, seq int, bytes bigint, mail_seq int, mail_done int, end_seq int, end_done int, owner text,
  due_at bigint, attributes text, idempotency_key text, created_at bigint, started_at bigint, completed_at bigint,
  has_values boolean, lost boolean, last_claim_id text
)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_next bigint;
  -- The queues that have due runs, in the order of the caller's preference.
  v_queues text[];
  v_queue text;
  v_taken bigint[] := '{}';
  v_lost boolean[] := '{}';
  v_claims text[] := '{}';
  v_bytes bigint := 0;
  v_row record;
BEGIN${LIMIT_WAITS}
  SELECT min(d.due_at), array_agg(w.queue ORDER BY w.place) FILTER (WHERE d.due_at <= v_now) INTO v_next, v_queues
  FROM unnest(p_queues) WITH ORDINALITY AS w(queue, place) CROSS JOIN LATERAL (
    SELECT r.due_at FROM ${runs} r WHERE r.queue = w.queue AND r.due_at IS NOT NULL ORDER BY r.due_at LIMIT 1
  ) d;

  -- Rows that others are taking are passed over.
  IF p_limit > 0 THEN
    FOREACH v_queue IN ARRAY coalesce(v_queues, '{}') LOOP
      EXIT WHEN cardinality(v_taken) = p_limit OR (cardinality(v_taken) > 0 AND v_bytes > p_bytes);
      FOR v_row IN
        SELECT r.id, r.owner IS NOT NULL AS held, r.claim_id, r.bytes FROM ${runs} r
        WHERE r.queue = v_queue AND r.due_at IS NOT NULL AND r.due_at <= v_now
        ORDER BY r.due_at LIMIT p_limit - cardinality(v_taken)
        FOR NO KEY UPDATE SKIP LOCKED
      LOOP
        EXIT WHEN cardinality(v_taken) > 0 AND v_bytes > p_bytes;
        ${TAKE}
      END LOOP;
    END LOOP;
    FOR v_row IN
      SELECT r.id, r.owner IS NOT NULL AS held, r.claim_id, r.bytes FROM ${runs} r
      WHERE r.run_id = ANY (p_run_ids) AND r.due_at IS NOT NULL AND r.due_at <= v_now
      ORDER BY r.due_at LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    LOOP
      EXIT WHEN cardinality(v_taken) > 0 AND v_bytes > p_bytes;
      ${TAKE}
    END LOOP;
  END IF;

  IF cardinality(v_taken) > 0 THEN
    RETURN QUERY
      UPDATE ${runs} r SET epoch = r.epoch + 1, claim_id = p_claim, lost_claims = r.lost_claims + t.lost::int,
        owner = p_owner, due_at = ${leaseEnd("p_ttl")}
      FROM unnest(v_taken, v_lost, v_claims) AS t(id, lost, claim_id)
      WHERE r.id = t.id
      RETURNING r.id, r.run_id, r.workflow, r.queue, r.status, r.epoch, r.claim_id, r.lost_claims, r.generation, r.first_seq,
        r.seq, r.bytes, r.mail_seq, r.mail_done, r.end_seq, r.end_done, r.owner, r.due_at, r.attributes, r.idempotency_key, r.created_at, r.started_at,
        r.completed_at, r.output IS NOT NULL OR r.error IS NOT NULL OR r.state IS NOT NULL, t.lost, t.claim_id;

    SELECT min(d.due_at) INTO v_next
    FROM unnest(p_queues) AS w(queue) CROSS JOIN LATERAL (
      SELECT r.due_at FROM ${runs} r
      WHERE r.queue = w.queue AND r.due_at IS NOT NULL AND r.id <> ALL (v_taken) ORDER BY r.due_at LIMIT 1
    ) d;
  END IF;

  SELECT least(v_next, min(r.due_at)) INTO v_next FROM ${runs} r
  WHERE r.run_id = ANY (p_run_ids) AND r.due_at IS NOT NULL AND r.id <> ALL (v_taken);

  due_at := v_next;
  created_at := v_now;
  lost := cardinality(v_taken) = 0 AND (SELECT o.id FROM ${outbox} o ORDER BY o.id LIMIT 1) IS NOT NULL;
  RETURN NEXT;${REFUSE_LATE}
END $$;`;
}

/** Notes the locked row as taken. */
const TAKE = `v_taken := v_taken || v_row.id;
        v_lost := v_lost || v_row.held;
        v_claims := v_claims || v_row.claim_id;
        v_bytes := v_bytes + v_row.bytes;`;

/** A renewal as it is sent. */
export interface RenewCall {
  /** The caller's time, where leases are judged by it. */
  readonly now: number | null;
  readonly leases: readonly Lease[];
  readonly ttl: number;
}

const leases = (call: RenewCall) => call.leases;

/** The parameters of `renew_1`. */
export const RENEW: Parameters<RenewCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_run_ids: column("text", leases, ({ runId }) => toStored(runId)),
  p_epochs: column("int", leases, ({ epoch }) => epoch),
  p_claims: column("text", leases, ({ claimId }) => toStored(claimId)),
  p_ttl: value("bigint", ({ ttl }) => whole(ttl)),
};

/**
 * `renew_1`: one row for each lease that is the caller's still. All rows are locked in one statement and written in one,
 * and those whose lease ends late enough are not written.
 */
export function renewFunction({ functions, runs }: Tables): string {
  return `
CREATE FUNCTION ${functions.renew}(${signatureOf(RENEW)}) RETURNS TABLE (place int, mail_seq int)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_until bigint := ${leaseEnd("p_ttl")};
  v_ids bigint[];
  v_places int[];
  v_mail_seqs int[];
BEGIN${LIMIT_WAITS}
  SELECT array_agg(l.id), array_agg(l.place::int), array_agg(l.mail_seq) INTO v_ids, v_places, v_mail_seqs
  FROM (
    SELECT c.place, r.id, r.mail_seq
    FROM ${rowsOf("c", { run_id: "p_run_ids", epoch: "p_epochs", claim: "p_claims" })}
    JOIN ${runs} r ON r.run_id = c.run_id
    WHERE r.epoch = c.epoch AND r.claim_id = c.claim AND r.owner IS NOT NULL
    ORDER BY r.run_id
    FOR NO KEY UPDATE OF r
  ) l;
  UPDATE ${runs} r SET due_at = v_until WHERE r.id = ANY (v_ids) AND r.due_at < v_until;
  RETURN QUERY SELECT l.place, l.mail_seq FROM unnest(v_places, v_mail_seqs) AS l(place, mail_seq);${REFUSE_LATE}
END $$;`;
}
