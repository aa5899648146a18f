/** The database's side of a commit of one run, the kind that sequential workflows make. */
import { endsRun } from "@perdure/core/world";
import { wholeOrNull } from "../packing.ts";
import { type Parameters, rowsOf, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored } from "../text.ts";
import { ENDED, LIMIT_WAITS, leaseEnd, REFUSE_LATE, SETTINGS_WITHOUT_JOINS, storeNow } from "./clauses.ts";
import { COMMIT, type CommitCall, dueOf, EVENTS, type SentCommit } from "./commit.ts";
import { endNames, lockNames } from "./names.ts";

/** A batch of one commit as it is sent. */
export interface CommitRunCall extends CommitCall {
  readonly only: SentCommit;
}

/** The parameters of `commit_run_1`. `p_changes` is false where the run only goes on: events, and the lease held. */
export const COMMIT_RUN: Parameters<CommitRunCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_run_id: value("text", ({ only }) => toStored(only.commit.runId)),
  p_epoch: value("int", ({ only }) => only.commit.epoch),
  p_claim: value("text", ({ only }) => toStored(only.commit.claimId)),
  p_seq: value("int", ({ only }) => only.commit.seq),
  p_size: value("bigint", ({ only }) => only.size),
  p_mail_done: value("int", ({ only }) => only.commit.mailDone),
  p_changes: value("boolean", ({ only }) => changesRow(only)),
  p_ends: value("boolean", ({ only }) => endsRun(only.commit)),
  p_holds: value("boolean", ({ only }) => only.commit.lease.type === "hold"),
  p_due: value("bigint", ({ only }) => wholeOrNull(dueOf(only.commit))),
  p_status: value("text", ({ only }) => only.commit.run.status ?? null),
  p_started: value("bigint", ({ only }) => wholeOrNull(only.commit.run.startedAt)),
  p_completed: value("bigint", ({ only }) => wholeOrNull(only.commit.run.completedAt)),
  p_lost_claims: value("int", ({ only }) => only.commit.run.lostClaims ?? null),
  p_output_offset: value("int", ({ only }) => only.output.start),
  p_output_length: value("int", ({ only }) => only.output.length),
  p_error_offset: value("int", ({ only }) => only.error.start),
  p_error_length: value("int", ({ only }) => only.error.length),
  ...EVENTS,
  p_bytes: value("bytea", ({ bytes }) => bytes),
};

function changesRow({ commit: { lease, run } }: SentCommit): boolean {
  return lease.type !== "hold" || Object.values(run).some((value) => value !== undefined);
}

/** What `commit_1` is given for a parameter, from those of `commit_run_1`; the others have the same names in both. */
const IN_BATCH: Readonly<Record<string, string>> = {
  p_run_ids: "ARRAY[p_run_id]",
  p_epochs: "ARRAY[p_epoch]",
  p_claims: "ARRAY[p_claim]",
  p_seqs: "ARRAY[p_seq]",
  p_counts: "ARRAY[v_count]",
  p_sizes: "ARRAY[p_size]",
  p_mail_done: "ARRAY[p_mail_done]",
  p_ends: "ARRAY[p_ends]",
  p_holds: "ARRAY[p_holds]",
  p_dues: "ARRAY[p_due]",
  p_statuses: "ARRAY[p_status]",
  p_started: "ARRAY[p_started]",
  p_completed: "ARRAY[p_completed]",
  p_lost_claims: "ARRAY[p_lost_claims]",
  p_output_offsets: "ARRAY[p_output_offset]",
  p_output_lengths: "ARRAY[p_output_length]",
  p_error_offsets: "ARRAY[p_error_offset]",
  p_error_lengths: "ARRAY[p_error_length]",
  p_event_commits: "array_fill(1, ARRAY[v_count])",
  p_event_seqs: "ARRAY(SELECT generate_series(p_seq + 1, p_seq + v_count))",
  p_names: "NULL",
  p_changes: "NULL",
};

/**
 * `commit_run_1`: what `commit_1` does for a batch of one run that acts on no name, at half its cost. The update finds the row
 * only where the commit is in order; by it the commit is atomic. Where it finds none (a lost lease, an answer that was lost,
 * mail to consume, older events to delete) nothing is written yet, and `commit_1` decides.
 *
 * The answer is one text, the outcome and its numbers, such as `committed 3 0`: a row of columns would be put into a table
 * first.
 */
export function commitRunFunction(tables: Tables): string {
  const { functions, runs, events } = tables;
  const inOrder = `
    WHERE r.run_id = p_run_id AND r.epoch = p_epoch AND r.claim_id = p_claim AND r.seq = p_seq
      AND r.mail_done >= p_mail_done AND r.owner IS NOT NULL AND r.swept_seq = r.first_seq - 1
      AND (v_count = 0 OR r.status NOT ${ENDED})
    RETURNING r.id, r.mail_seq, r.end_seq, r.named INTO v_run, v_mail_seq, v_end_seq, v_named;`;
  const inBatch = Object.keys(COMMIT).map((name) => `${name} => ${IN_BATCH[name] ?? name}`);
  return `
CREATE FUNCTION ${functions.commitRun}(${signatureOf(COMMIT_RUN)}) RETURNS text
LANGUAGE plpgsql ${SETTINGS_WITHOUT_JOINS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_count int := cardinality(p_event_types);
  v_run bigint;
  v_mail_seq int;
  v_end_seq int;
  v_named boolean;
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
      owner = CASE WHEN p_holds THEN r.owner END,
      due_at = CASE
        WHEN p_holds THEN greatest(r.due_at, ${leaseEnd("p_due")})
        WHEN r.mail_seq > r.mail_done THEN v_now
        WHEN r.end_seq > r.end_done AND (p_ends OR r.status ${ENDED}) THEN v_now
        ELSE p_due END,
      started_at = coalesce(p_started, r.started_at),
      completed_at = coalesce(p_completed, r.completed_at),
      lost_claims = coalesce(p_lost_claims, r.lost_claims),
      output = CASE p_output_length WHEN -2 THEN r.output WHEN -1 THEN NULL
        ELSE substr(p_bytes, p_output_offset, p_output_length) END,
      error = CASE p_error_length WHEN -2 THEN r.error WHEN -1 THEN NULL
        ELSE substr(p_bytes, p_error_offset, p_error_length) END${inOrder}
  END IF;

  IF v_run IS NULL THEN
    SELECT concat_ws(' ', c.outcome, c.number, c.end_seq) INTO v_answer
    FROM ${functions.commit}(p_wait => p_wait, ${inBatch.join(", ")}) c WHERE c.outcome <> 'conflict';
    RETURN v_answer;
  END IF;

  INSERT INTO ${events} (run, seq, type, at, id, name, data)
  SELECT v_run, p_seq + e.place, e.type, e.at, e.id, e.name,
    CASE WHEN e.length >= 0 THEN substr(p_bytes, e.start, e.length) END
  FROM ${rowsOf("e", {
    ...{ type: "p_event_types", at: "p_event_ats", id: "p_event_ids", name: "p_event_names" },
    ...{ start: "p_event_offsets", length: "p_event_lengths" },
  })};
  IF p_ends AND v_named THEN
    ${lockNames(tables, "n.run = v_run")}
    ${endNames(tables, "n.run = v_run", "p_completed")}
  END IF;${REFUSE_LATE}
  RETURN 'committed ' || v_mail_seq || ' ' || v_end_seq;
END $$;`;
}
