/** The database's side of `commit`: one call is one batch, one round trip and one transaction. */
import { type CommitEvent, endsRun, type RunCommit } from "@perdure/core/world";
import type { Place } from "../packing.ts";
import { column, type Parameters, rowsOf, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored, toStoredOrNull } from "../text.ts";
import { changeRows, sweepRows } from "./changes.ts";
import { ENDED, FUNCTION_SETTINGS, LIMIT_WAITS, leaseEnd, REFUSE_LATE, storeNow } from "./clauses.ts";
import { actOnNames } from "./names.ts";

/** A batch of commits as it is sent. */
export interface CommitCall {
  /** The caller's time, where leases are judged by it. */
  readonly now: number | null;
  readonly commits: readonly SentCommit[];
  readonly events: readonly SentEvent[];
  /** See `../acts.ts`. */
  readonly names: string | null;
  /** See `../changes.ts`. */
  readonly changes: string | null;
  readonly bytes: Uint8Array;
}

export interface SentCommit {
  readonly commit: RunCommit;
  /** The bytes of its events' data. */
  readonly size: number;
  readonly output: Place;
  readonly error: Place;
}

export interface SentEvent {
  readonly event: CommitEvent;
  /** The place of its commit in the batch, from 1. */
  readonly commit: number;
  readonly seq: number;
  readonly data: Place;
}

const commits = (call: CommitCall) => call.commits;
const events = (call: CommitCall) => call.events;

/** What an event says, in columns. */
export const EVENTS: Parameters<CommitCall> = {
  p_event_types: column("text", events, ({ event }) => toStored(event.type)),
  p_event_ats: column("bigint", events, ({ event }) => event.at),
  p_event_ids: column("text", events, ({ event }) => toStoredOrNull(event.id)),
  p_event_names: column("text", events, ({ event }) => toStoredOrNull(event.name)),
  p_event_offsets: column("int", events, ({ data }) => data.start),
  p_event_lengths: column("int", events, ({ data }) => data.length),
};

/**
 * The parameters of `commit_1`. Those up to `p_error_lengths` have one element per commit; an event names its commit by its
 * place. Bytes lie one after the other in `p_bytes`; a length of -1 is NULL, and -2, for output and error, leaves the column
 * as it is. What changes seldom is in `p_names` and `p_changes`.
 */
export const COMMIT: Parameters<CommitCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_run_ids: column("text", commits, ({ commit }) => toStored(commit.runId)),
  p_epochs: column("int", commits, ({ commit }) => commit.epoch),
  p_claims: column("text", commits, ({ commit }) => toStored(commit.claimId)),
  p_seqs: column("int", commits, ({ commit }) => commit.seq),
  p_counts: column("int", commits, ({ commit }) => commit.events.length),
  p_sizes: column("bigint", commits, ({ size }) => size),
  p_mail_done: column("int", commits, ({ commit }) => commit.mailDone),
  p_ends: column("boolean", commits, ({ commit }) => endsRun(commit)),
  p_holds: column("boolean", commits, ({ commit }) => commit.lease.type === "hold"),
  p_dues: column("bigint", commits, ({ commit }) => dueOf(commit)),
  p_statuses: column("text", commits, ({ commit }) => commit.run.status),
  p_started: column("bigint", commits, ({ commit }) => commit.run.startedAt),
  p_completed: column("bigint", commits, ({ commit }) => commit.run.completedAt),
  p_lost_claims: column("int", commits, ({ commit }) => commit.run.lostClaims),
  p_output_offsets: column("int", commits, ({ output }) => output.start),
  p_output_lengths: column("int", commits, ({ output }) => output.length),
  p_error_offsets: column("int", commits, ({ error }) => error.start),
  p_error_lengths: column("int", commits, ({ error }) => error.length),
  p_event_commits: column("int", events, ({ commit }) => commit),
  p_event_seqs: column("int", events, ({ seq }) => seq),
  ...EVENTS,
  p_names: value("jsonb", ({ names }) => names),
  p_changes: value("jsonb", ({ changes }) => changes),
  p_bytes: value("bytea", ({ bytes }) => bytes),
};

/** The length of a lease that is held, or the next due time of a run that parks. */
export function dueOf({ lease }: RunCommit): number | null {
  return lease.type === "hold" ? lease.ttl : lease.dueAt;
}

/** `commit_1`. */
export function commitFunction(tables: Tables): string {
  const { functions, runs, events, mail } = tables;
  return `
CREATE FUNCTION ${functions.commit}(${signatureOf(COMMIT)})
RETURNS TABLE (place int, outcome text, number int, end_seq int, holder text)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_size int := cardinality(p_run_ids);
  v_outcomes text[] := array_fill('finished'::text, ARRAY[v_size]);
  v_numbers int[] := array_fill(0, ARRAY[v_size]);
  v_end_seqs int[] := v_numbers;
  -- The rows to write, by position; 0 where the commit is refused or in already.
  v_ids bigint[] := array_fill(0::bigint, ARRAY[v_size]);
  v_mail_done int[] := v_numbers;
  v_consumes boolean := false;
  v_old boolean := false;
  -- The places of commits that end a run which has names, and the runs that got one.
  v_ending int[];
  v_named bigint[];
  v_repeated bigint[];
  v_repeated_places int[];
  -- By event: the run that has the name that it asked for, and the type that it has for this.
  v_holders text[];
  v_refused text[];
  v_id bigint;
  v_row record;
BEGIN${LIMIT_WAITS}
  FOR v_row IN
    SELECT c.place, c.seq AS asked_seq, c.count, c.mail_done AS asked_mail_done, c.ends,
      coalesce(r.epoch = c.epoch AND r.claim_id = c.claim, false) AS is_ours,
      r.id, r.status ${ENDED} AS has_ended, r.seq, r.mail_seq, r.mail_done, r.end_seq, r.owner IS NOT NULL AS held, r.named,
      r.swept_seq < r.first_seq - 1 AS has_old
    FROM ${rowsOf("c", {
      ...{ run_id: "p_run_ids", epoch: "p_epochs", claim: "p_claims", seq: "p_seqs", count: "p_counts" },
      ...{ mail_done: "p_mail_done", ends: "p_ends" },
    })}
    JOIN ${runs} r ON r.run_id = c.run_id
    ORDER BY r.run_id
    FOR NO KEY UPDATE OF r
  LOOP
    IF v_row.is_ours AND v_row.seq = v_row.asked_seq + v_row.count AND (v_row.count > 0 OR NOT v_row.held) THEN
      v_outcomes[v_row.place] := 'committed';
      v_numbers[v_row.place] := v_row.mail_seq;
      v_end_seqs[v_row.place] := v_row.end_seq;
      v_repeated := v_repeated || v_row.id;
      v_repeated_places := v_repeated_places || v_row.place::int;
    ELSIF v_row.has_ended AND (v_row.count > 0 OR NOT v_row.is_ours OR NOT v_row.held) THEN
      NULL;
    ELSIF NOT v_row.is_ours OR NOT v_row.held THEN
      v_outcomes[v_row.place] := 'fenced';
    ELSIF v_row.seq <> v_row.asked_seq THEN
      v_outcomes[v_row.place] := 'out_of_step';
      v_numbers[v_row.place] := v_row.seq;
    ELSE
      v_outcomes[v_row.place] := 'committed';
      v_numbers[v_row.place] := v_row.mail_seq;
      v_end_seqs[v_row.place] := v_row.end_seq;
      v_ids[v_row.place] := v_row.id;
      v_mail_done[v_row.place] := v_row.mail_done;
      v_consumes := v_consumes OR v_row.asked_mail_done > v_row.mail_done;
      v_old := v_old OR v_row.has_old;
      IF v_row.ends AND v_row.named THEN v_ending := v_ending || v_row.place::int; END IF;
    END IF;
  END LOOP;
${actOnNames(tables)}

  INSERT INTO ${events} (run, seq, type, at, id, name, data, holder)
  SELECT v_ids[e.commit], e.seq, coalesce(v_refused[e.place], e.type), e.at, e.id, e.name,
    CASE WHEN e.length >= 0 AND v_holders[e.place] IS NULL THEN substr(p_bytes, e.start, e.length) END,
    v_holders[e.place]
  FROM ${rowsOf("e", {
    ...{
      commit: "p_event_commits",
      seq: "p_event_seqs",
      type: "p_event_types",
      at: "p_event_ats",
      id: "p_event_ids",
    },
    ...{ name: "p_event_names", start: "p_event_offsets", length: "p_event_lengths" },
  })}
  WHERE v_ids[e.commit] <> 0;

  -- The payload of a consumed message is in the journal; what stays is its id, for messages sent twice.
  IF v_consumes THEN
    UPDATE ${mail} m SET data = NULL, at = v_now
    FROM ${rowsOf("c", { id: "v_ids", done: "v_mail_done", asked: "p_mail_done" })}
    WHERE c.id <> 0 AND m.run = c.id AND NOT m.at_end AND m.mail_seq > c.done AND m.mail_seq <= c.asked;
  END IF;
${changeRows(tables)}

  UPDATE ${runs} r SET
    seq = c.seq + c.count,
    bytes = r.bytes + c.size,
    mail_done = greatest(r.mail_done, c.mail_done),
    status = coalesce(c.status, r.status),
    owner = CASE WHEN c.holds THEN r.owner END,
    due_at = CASE
      WHEN c.holds THEN greatest(r.due_at, ${leaseEnd("c.due")})
      WHEN r.mail_seq > greatest(r.mail_done, c.mail_done) THEN v_now
      WHEN r.end_seq > r.end_done AND (c.ends OR r.status ${ENDED}) THEN v_now
      ELSE c.due END,
    started_at = coalesce(c.started, r.started_at),
    completed_at = coalesce(c.completed, r.completed_at),
    lost_claims = coalesce(c.lost_claims, r.lost_claims),
    named = r.named OR coalesce(r.id = ANY (v_named), false),
    output = CASE c.output_length WHEN -2 THEN r.output WHEN -1 THEN NULL
      ELSE substr(p_bytes, c.output_start, c.output_length) END,
    error = CASE c.error_length WHEN -2 THEN r.error WHEN -1 THEN NULL
      ELSE substr(p_bytes, c.error_start, c.error_length) END
  FROM ${rowsOf("c", {
    ...{
      id: "v_ids",
      seq: "p_seqs",
      count: "p_counts",
      size: "p_sizes",
      mail_done: "p_mail_done",
      ends: "p_ends",
    },
    ...{
      holds: "p_holds",
      due: "p_dues",
      status: "p_statuses",
      started: "p_started",
      completed: "p_completed",
    },
    ...{ lost_claims: "p_lost_claims", output_start: "p_output_offsets", output_length: "p_output_lengths" },
    ...{ error_start: "p_error_offsets", error_length: "p_error_lengths" },
  })}
  WHERE c.id <> 0 AND r.id = c.id;
${sweepRows(tables)}

  RETURN QUERY
    SELECT o.place::int, o.outcome, o.number, o.end_seq, NULL::text
    FROM ${rowsOf("o", { outcome: "v_outcomes", number: "v_numbers", end_seq: "v_end_seqs" })};
  IF v_holders IS NOT NULL THEN
    RETURN QUERY
      SELECT e.commit, 'conflict'::text, e.seq, NULL::int, e.holder
      FROM ${rowsOf("e", { commit: "p_event_commits", seq: "p_event_seqs", holder: "v_holders" })}
      WHERE e.holder IS NOT NULL;
  END IF;
  IF v_repeated IS NOT NULL THEN
    RETURN QUERY
      SELECT c.place, 'conflict'::text, e.seq, NULL::int, e.holder
      FROM unnest(v_repeated, v_repeated_places) AS c(id, place)
      JOIN ${events} e ON e.run = c.id AND e.seq > p_seqs[c.place] AND e.seq <= p_seqs[c.place] + p_counts[c.place]
      WHERE e.holder IS NOT NULL;
  END IF;${REFUSE_LATE}
END $$;`;
}
