import { measured, measures } from "../../interceptors/index.ts";
import type { Logger } from "../../logger.ts";
import type { LiveRun } from "../run/live-run.ts";

/** Says that the lease of a run is another's, or has been claimed anew: what goes on here for it does not count any more. */
export function tellOfLostLease(run: LiveRun, logger: Logger): void {
  const { runId, workflow } = run;
  const steps = [...run.steps.attempts.values()].map(({ step }) => step.definition.id);
  logger.warn(
    "the lease of a run was lost, so another worker goes on with it and what its steps do here does not count: see whether this " +
      "process stood still, or the store was away, for longer than leaseTtl",
    { runId, workflow, ...(steps.length > 0 && { step: [...new Set(steps)].join(", ") }) },
  );
  if (measures()) measured(logger, { type: "lease_lost", workflowName: workflow, runId });
}
