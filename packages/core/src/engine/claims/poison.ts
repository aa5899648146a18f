import { PoisonedRunError } from "../../errors/index.ts";
import { openIn } from "../../interpreter/kinds/index.ts";
import { decodeError } from "../../serialization/index.ts";
import type { JournalEvent, Mail, RunRecord } from "../../world/index.ts";

/** Why a run is not executed any more, as far as its journal tells. */

/** The reason in a poisoned run's row: what was under way when its workers were lost. */
export function poisonOf(row: RunRecord, journal: readonly JournalEvent[]): PoisonedRunError {
  const { runId, workflow, lostClaims, mailSeq } = row;
  return new PoisonedRunError({
    runId,
    workflowName: workflow,
    lostClaims,
    mailSeq,
    underWay: underWay(journal),
  });
}

/** Somebody has called `run.retry()` since the run was parked as poisoned. */
export function wokenSince(row: RunRecord, mail: readonly Mail[]): boolean {
  const parked = row.error === null ? null : decodeError(row.error);
  const seen = PoisonedRunError.is(parked) ? parked.mailSeq : 0;
  return mail.some(({ type, mailSeq }) => type === "wake" && mailSeq > seen);
}

/** The steps that had begun, or else the workflow's own code. */
function underWay(journal: readonly JournalEvent[]): string {
  const steps = [...openIn(journal, "step").values()].map(({ id, name }) => `step "${name}" (${id})`);
  if (steps.length > 0) return steps.slice(0, 5).join(", ") + (steps.length > 5 ? " …" : "");
  return `the workflow's own code after event ${journal.length} (${journal.at(-1)?.type ?? "none"})`;
}
