import type { Clock } from "../../clock.ts";
import { measured, measures } from "../../interceptors/index.ts";
import type { Logger } from "../../logger.ts";
import type { LiveRun } from "../run/live-run.ts";

/** How a run is parked that cannot go on in this worker. */
export interface Parking {
  /** Its last owner was lost, so its steps may have been interrupted. */
  readonly lost: boolean;
  /** When it is tried again; infinity: when somebody asks for it; `null`: after the usual time. */
  readonly retryAt: number | null;
}

export interface ParkingOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly divergenceRetry: number;
  /** The next tick has to look at the run. */
  readonly touch: (run: LiveRun) => void;
}

/** Parks a run that does not follow its journal. It is tried again later, with whatever code is there then. */
export function parkDiverged(
  run: LiveRun,
  error: unknown,
  { clock, logger, divergenceRetry, touch }: ParkingOptions,
  { lost, retryAt }: Parking = { lost: false, retryAt: null },
): void {
  const { runId, workflow } = run;
  logger.error(
    retryAt === Number.POSITIVE_INFINITY
      ? "a run is parked until run.retry() is called, since workers that executed it were lost again and again"
      : "a run cannot go on with the code of this process: it is parked and tried again later, nothing is lost",
    { runId, workflow, error },
  );
  if (measures()) measured(logger, { type: "diverged", workflowName: workflow, runId });
  run.diverge(error, retryAt ?? clock.now() + divergenceRetry, lost);
  touch(run);
}
