import type { Hint } from "./capabilities.ts";
import { type CommitResult, endsRun, type RunCommit } from "./commit.ts";

/** What writes mean to others, as hints. */

/** Mail that was delivered just now. */
export interface NewMail {
  /** Runs that have new mail. */
  readonly runIds: readonly string[];
  /** One of them has no owner: it waits for a worker. */
  readonly due: boolean;
}

/** New mail, and whether somebody must look for it. */
export function* deliveryHints({ runIds, due }: NewMail): Generator<Hint> {
  for (const runId of runIds) yield { type: "mail", runId };
  if (due) yield { type: "due" };
}

/** A batch of commits: runs that ended, and whether one is due at once. */
export function* commitHints(
  batch: readonly RunCommit[],
  results: readonly CommitResult[],
  now: number,
): Generator<Hint> {
  let due = false;
  for (const [index, { runId, run, lease, mailDone }] of batch.entries()) {
    const result = results[index];
    if (result?.outcome !== "committed") continue;
    const ended = endsRun({ run });
    if (ended) yield { type: "finished", runId };
    else if (run.state !== undefined) yield { type: "state", runId };
    if (lease.type === "park") {
      due ||= result.mailSeq > mailDone || (lease.dueAt !== null && lease.dueAt <= now);
      due ||= ended && result.endSeq > (run.endDone ?? 0);
    }
  }
  if (due) yield { type: "due" };
}
