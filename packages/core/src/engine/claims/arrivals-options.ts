import type { Clock } from "../../clock.ts";
import type { IdSource } from "../../ids.ts";
import type { Logger } from "../../logger.ts";
import type { ClaimedRun, World } from "../../world/index.ts";
import type { LiveRun } from "../run/live-run.ts";
import type { Parking } from "./park-diverged.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Residents } from "./residents.ts";
import type { UnreadableRuns } from "./unreadable-runs.ts";

/** What arrivals need of their worker, and tell it. */
export interface ArrivalsOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: () => number;
  readonly logger: Logger;
  readonly strictReplay: boolean;
  readonly residents: Residents;
  readonly quarantine: Quarantine;
  readonly unreadable: UnreadableRuns;
  /** The next tick has to look at the run. */
  readonly touch: (run: LiveRun) => void;
  /** A run that has ended and has work left. */
  readonly onEnded: (claimed: ClaimedRun) => void;
  /** A journal that was being read is in memory no more. */
  readonly onLoaded: () => void;
  /** The run does not follow its journal, or is not to be executed. */
  readonly onDiverged: (run: LiveRun, error: unknown, parking: Parking) => void;
}
