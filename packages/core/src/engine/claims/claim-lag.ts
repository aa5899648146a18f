import { measured, measures } from "../../interceptors/index.ts";
import type { Logger } from "../../logger.ts";
import type { ClaimedRun } from "../../world/index.ts";
import type { LiveRun } from "../run/live-run.ts";

/** How long a run was due before it was claimed: since it was made, its first message came, or its time had come. Of one whose owner was lost nobody knows. */
export function tellOfLag(
  run: LiveRun,
  { run: row, mail, lost }: ClaimedRun,
  now: number,
  logger: Logger,
): void {
  if (!measures() || lost || row.status === "diverged") return;
  const never = Number.POSITIVE_INFINITY;
  const made = row.startedAt === null ? row.createdAt : never;
  const since = Math.min(made, mail[0]?.at ?? never, run.nextDueAt ?? never);
  if (since === never) return;
  measured(logger, { type: "claim", workflowName: row.workflow, lag: Math.max(now - since, 0) });
}
