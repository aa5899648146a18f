/** The database's side of `createRuns`: names first, then all new runs at once. */
import type { CreateRun, NewEvent } from "@perdure/core/world";
import type { Place } from "../packing.ts";
import { column, type Parameters, rowsOf, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored, toStoredOrNull } from "../text.ts";
import { changeRows } from "./changes.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, leaseEnd, REFUSE_LATE, storeNow } from "./clauses.ts";
import { isHeld } from "./names.ts";

/** A batch of starts as it is sent; no run id twice. */
export interface StartCall {
  /** The caller's time, where leases are judged by it. */
  readonly now: number | null;
  /** The caller's time: those in the request are distances from it. */
  readonly sentAt: number;
  readonly runs: readonly CreateRun[];
  readonly events: readonly SentFirstEvent[];
  /** JSON, or `null` where no run claims a name. */
  readonly claims: string | null;
  /** JSON, or `null` where no run comes with mail. */
  readonly mail: string | null;
  /** See `../changes.ts`. */
  readonly changes: string | null;
  readonly bytes: Uint8Array;
}

export interface SentFirstEvent {
  readonly event: NewEvent;
  /** The place of its run in the batch, from 1. */
  readonly run: number;
  readonly seq: number;
  readonly data: Place;
}

const starts = (call: StartCall) => call.runs;
const events = (call: StartCall) => call.events;

/** The parameters of `create_runs_1`. Those up to `p_sizes` have one element per run. */
export const CREATE_RUNS: Parameters<StartCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_sent_at: value("bigint", ({ sentAt }) => sentAt),
  p_run_ids: column("text", starts, ({ runId }) => toStored(runId)),
  p_workflows: column("text", starts, ({ workflow }) => toStored(workflow)),
  p_queues: column("text", starts, ({ queue }) => toStored(queue)),
  p_dues: column("bigint", starts, ({ dueAt }) => dueAt),
  p_keys: column("text", starts, ({ idempotencyKey }) => toStoredOrNull(idempotencyKey)),
  p_owners: column("text", starts, ({ lease }) => toStoredOrNull(lease?.owner ?? null)),
  p_claim_ids: column("text", starts, ({ lease }) => toStoredOrNull(lease?.claimId ?? null)),
  p_ttls: column("bigint", starts, ({ lease }) => lease?.ttl),
  p_created: column("bigint", starts, ({ events: [first] }) => first?.at),
  p_counts: column("int", starts, (run) => run.events.length),
  p_sizes: column("bigint", starts, (run) =>
    run.events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0),
  ),
  p_event_runs: column("int", events, ({ run }) => run),
  p_event_seqs: column("int", events, ({ seq }) => seq),
  p_event_types: column("text", events, ({ event }) => toStored(event.type)),
  p_event_ats: column("bigint", events, ({ event }) => event.at),
  p_event_ids: column("text", events, ({ event }) => toStoredOrNull(event.id)),
  p_event_names: column("text", events, ({ event }) => toStoredOrNull(event.name)),
  p_event_offsets: column("int", events, ({ data }) => data.start),
  p_event_lengths: column("int", events, ({ data }) => data.length),
  p_names: value("jsonb", ({ claims }) => claims),
  p_mail: value("jsonb", ({ mail }) => mail),
  p_changes: value("jsonb", ({ changes }) => changes),
  p_bytes: value("bytea", ({ bytes }) => bytes),
};

/** What `p_names` and `p_mail` say; `run` is the place of a run in the batch. */
const CLAIMS = `jsonb_to_recordset(p_names) AS c(run int, place int, name text, id text, passes_from text, fingerprint text,
      keep_for bigint, free_at bigint, start int, length int)`;
const MAIL = `jsonb_to_recordset(p_mail) AS x(run int, mail_seq int, message_id text, type text, id text, at bigint,
      start int, length int)`;

/** How a claim is written in columns. */
const FREE_AT = "CASE WHEN c.free_at = 0 THEN 0 ELSE c.free_at + v_shift END";
const DATA = "CASE WHEN c.length >= 0 THEN substr(p_bytes, c.start, c.length) END";

/** Part of the function: what is there of an earlier sending. */
function findSent({ runs }: Tables): string {
  return `FOR v_row IN
      SELECT c.place, r.epoch = 1 AND r.owner IS NOT NULL AND r.claim_id = c.claim_id AS leased
      FROM ${rowsOf("c", { run_id: "p_run_ids", claim_id: "p_claim_ids" })}
      JOIN ${runs} r ON r.run_id = c.run_id
    LOOP
      v_outcomes[v_row.place] := CASE WHEN v_row.leased THEN 'leased' ELSE 'created' END;
    END LOOP;`;
}

/**
 * Part of the function: judges one start after the other, where a name or a message of the batch is known already. All names
 * of the batch are locked by then, in their order. Those that this call made are nobody's until a start gets them.
 */
function judgeStarts(tables: Tables): string {
  const { runs, mail, names } = tables;
  return `${findSent(tables)}
    UPDATE ${names} n SET run = 0 WHERE n.run = ANY (v_ids);
    v_abouts := array_fill(NULL::text, ARRAY[v_size]);
    v_holders := v_abouts;
    FOR v_place IN 1 .. v_size LOOP
      CONTINUE WHEN v_outcomes[v_place] <> 'new';
      SELECT c.name INTO v_about FROM ${CLAIMS} JOIN ${names} n ON n.name = c.name
      WHERE c.run = v_place AND n.run <> 0 AND n.run <> v_ids[v_place] AND ${isHeld("v_now")}
        -- It passes on from the run that the claim says, if that has ended.
        AND NOT coalesce(n.free_from IS NOT NULL AND c.passes_from = (SELECT r.run_id FROM ${runs} r WHERE r.id = n.run), false)
      ORDER BY c.place LIMIT 1;
      IF FOUND THEN
        v_outcomes[v_place] := 'held';
        v_abouts[v_place] := v_about;
        CONTINUE;
      END IF;
      SELECT x.message_id, coalesce(r.run_id, p_run_ids[s.run]) INTO v_about, v_holder
      FROM ${MAIL} LEFT JOIN ${mail} m ON m.message_id = x.message_id LEFT JOIN ${runs} r ON r.id = m.run
      LEFT JOIN unnest(v_sent, v_sent_runs) AS s(message_id, run) ON s.message_id = x.message_id
      WHERE x.run = v_place AND (m.run IS NOT NULL OR s.run IS NOT NULL)
      ORDER BY x.mail_seq LIMIT 1;
      IF FOUND THEN
        v_outcomes[v_place] := 'mailed';
        v_abouts[v_place] := v_about;
        v_holders[v_place] := v_holder;
        CONTINUE;
      END IF;
      UPDATE ${names} n SET run = v_ids[v_place], id = c.id, created_at = p_created[v_place], keep_for = c.keep_for,
        free_at = ${FREE_AT}, free_from = NULL, fingerprint = c.fingerprint, data = ${DATA}
      FROM ${CLAIMS} WHERE c.run = v_place AND n.name = c.name;
      SELECT v_sent || array_agg(x.message_id), v_sent_runs || array_agg(v_place) INTO v_sent, v_sent_runs
      FROM ${MAIL} WHERE x.run = v_place;
    END LOOP;
    DELETE FROM ${names} n USING ${CLAIMS} WHERE n.name = c.name AND n.run = 0;`;
}

/** `create_runs_1`. */
export function createRunsFunction(tables: Tables): string {
  const { functions, runs, events, mail, names, runIds } = tables;
  return `
CREATE FUNCTION ${functions.createRuns}(${signatureOf(CREATE_RUNS)})
RETURNS TABLE (place int, outcome text, about text, holder text)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_shift bigint := v_now - p_sent_at;
  v_size int := cardinality(p_run_ids);
  v_outcomes text[] := array_fill('new'::text, ARRAY[v_size]);
  -- The name that is held, or the message that is in another's mailbox, and that other.
  v_abouts text[];
  v_holders text[];
  v_ids bigint[] := ARRAY(SELECT nextval('${runIds}') FROM generate_series(1, v_size));
  v_named int[];
  v_sent text[];
  v_sent_runs int[];
  v_new int := v_size;
  v_made int;
  v_about text;
  v_holder text;
  v_row record;
BEGIN${LIMIT_WAITS}
  -- Without names nothing is decided by what is there but by the insertion of the runs, below.
  IF p_names IS NOT NULL THEN
    ${findSent(tables)}
    -- Whoever inserts a name first has it; the others wait here for the end of that transaction, in the order of the names.
    -- One that is there is locked, and stays as it is.
    INSERT INTO ${names} AS n (name, run, id, created_at, keep_for, free_at, fingerprint, data)
    SELECT DISTINCT ON (c.name COLLATE "C") c.name, v_ids[c.run], c.id, p_created[c.run], c.keep_for, ${FREE_AT}, c.fingerprint, ${DATA}
    FROM ${CLAIMS} WHERE v_outcomes[c.run] = 'new'
    ORDER BY c.name COLLATE "C", c.place
    ON CONFLICT (name) DO UPDATE SET name = n.name WHERE false;
    GET DIAGNOSTICS v_made = ROW_COUNT;
    IF v_made < (SELECT count(*) FROM ${CLAIMS} WHERE v_outcomes[c.run] = 'new')
      OR EXISTS (SELECT FROM ${MAIL} JOIN ${mail} m ON m.message_id = x.message_id)
      OR (SELECT count(*) > count(DISTINCT x.message_id) FROM ${MAIL})
    THEN
      ${judgeStarts(tables)}
    END IF;
    v_named := ARRAY(SELECT c.run FROM ${CLAIMS});
    v_new := (SELECT count(*) FROM unnest(v_outcomes) AS o(outcome) WHERE o.outcome = 'new');
  END IF;

  IF v_new > 0 THEN
    INSERT INTO ${runs} (id, run_id, workflow, queue, status, epoch, claim_id, lost_claims, generation, first_seq, swept_seq,
      seq, bytes, mail_seq, mail_done, end_seq, end_done, named, owner, due_at, created_at, idempotency_key)
    SELECT v_ids[c.place], c.run_id, c.workflow, c.queue, 'pending', CASE WHEN c.owner IS NULL THEN 0 ELSE 1 END, c.claim_id,
      0, 0, 1, 0, c.count, c.size, 0, 0, 0, 0, coalesce(c.place = ANY (v_named), false), c.owner,
      CASE WHEN c.owner IS NOT NULL THEN ${leaseEnd("c.ttl")} ELSE c.due + v_shift END, c.created, c.key
    FROM ${rowsOf("c", {
      ...{ run_id: "p_run_ids", workflow: "p_workflows", queue: "p_queues", due: "p_dues", key: "p_keys" },
      ...{
        owner: "p_owners",
        claim_id: "p_claim_ids",
        ttl: "p_ttls",
        created: "p_created",
        count: "p_counts",
      },
      size: "p_sizes",
    })}
    WHERE v_outcomes[c.place] = 'new'
    ORDER BY c.run_id COLLATE "C"
    ON CONFLICT (run_id) DO NOTHING;
    GET DIAGNOSTICS v_made = ROW_COUNT;

    -- The same run was created a moment earlier by another sending of the same request.
    IF v_made < v_new THEN
      IF p_names IS NOT NULL THEN
        RAISE EXCEPTION 'a run was created under this start' USING ERRCODE = 'serialization_failure';
      END IF;
      FOR v_row IN
        SELECT c.place, r.epoch = 1 AND r.owner IS NOT NULL AND r.claim_id = c.claim_id AS leased
        FROM ${rowsOf("c", { id: "v_ids", run_id: "p_run_ids", claim_id: "p_claim_ids" })}
        JOIN ${runs} r ON r.run_id = c.run_id
        WHERE r.id <> c.id
      LOOP
        v_outcomes[v_row.place] := CASE WHEN v_row.leased THEN 'leased' ELSE 'created' END;
        v_new := v_new - 1;
      END LOOP;
      IF v_made < v_new THEN
        RAISE EXCEPTION 'a run was deleted under this start' USING ERRCODE = 'serialization_failure';
      END IF;
    END IF;

    INSERT INTO ${events} (run, seq, type, at, id, name, data)
    SELECT v_ids[e.run], e.seq, e.type, e.at, e.id, e.name,
      CASE WHEN e.length >= 0 THEN substr(p_bytes, e.start, e.length) END
    FROM ${rowsOf("e", {
      ...{
        run: "p_event_runs",
        seq: "p_event_seqs",
        type: "p_event_types",
        at: "p_event_ats",
        id: "p_event_ids",
      },
      ...{ name: "p_event_names", start: "p_event_offsets", length: "p_event_lengths" },
    })}
    WHERE v_outcomes[e.run] = 'new';

    IF p_mail IS NOT NULL THEN
      INSERT INTO ${mail} (run, at_end, mail_seq, message_id, type, id, at, data)
      SELECT v_ids[x.run], false, x.mail_seq, x.message_id, x.type, x.id, x.at,
        CASE WHEN x.length >= 0 THEN substr(p_bytes, x.start, x.length) END
      FROM ${MAIL} WHERE v_outcomes[x.run] = 'new' ORDER BY x.message_id COLLATE "C";
      UPDATE ${runs} r SET mail_seq = c.count, due_at = CASE WHEN r.owner IS NULL THEN least(r.due_at, v_now) ELSE r.due_at END
      FROM (SELECT x.run, count(*) AS count FROM ${MAIL} WHERE v_outcomes[x.run] = 'new' GROUP BY x.run) c
      WHERE r.id = v_ids[c.run];
    END IF;
  END IF;
${changeRows(tables)}

  RETURN QUERY
    SELECT o.place::int, o.outcome, o.about, o.holder
    FROM ${rowsOf("o", { outcome: "v_outcomes", about: "v_abouts", holder: "v_holders" })};${REFUSE_LATE}
END $$;`;
}
