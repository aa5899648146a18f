import type { Clock } from "../../clock.ts";
import { measured, measures } from "../../interceptors/index.ts";
import type { Logger } from "../../logger.ts";
import type { LiveRun } from "../run/live-run.ts";

/** Why a run cannot go on in this worker. */
export interface Obstacle {
  readonly error: unknown;
  /** Its last owner was lost, so its steps may have been interrupted. */
  readonly lost: boolean;
  /** When it is tried again, for ever with infinity; `null` for the usual time. */
  readonly retryAt: number | null;
}

/** Parks a run that does not follow its journal. It is tried again later, with whatever code is there then. */
export function parkDiverged(
  run: LiveRun,
  { error, lost, retryAt }: Obstacle,
  options: { readonly clock: Clock; readonly logger: Logger; readonly divergenceRetry: number },
): void {
  const { clock, logger, divergenceRetry } = options;
  const { runId, workflow } = run;
  logger.error(
    retryAt === Number.POSITIVE_INFINITY
      ? "a run is parked until run.retry() is called, since workers that executed it were lost again and again"
      : "a run cannot go on with the code of this process: it is parked and tried again later, nothing is lost",
    { runId, workflow, error },
  );
  if (measures()) measured(logger, { type: "diverged", workflowName: workflow, runId });
  run.diverge(error, retryAt ?? clock.now() + divergenceRetry, lost);
}
