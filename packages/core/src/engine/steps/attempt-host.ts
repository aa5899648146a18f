import type { Clock } from "../../clock.ts";
import type { StepStore } from "../../context.ts";
import type { Headers } from "../../interpreter/kinds/headers.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { Signals } from "../../interpreter/signals.ts";
import type { Logger } from "../../logger.ts";
import type { WorkflowMetadata } from "../../metadata.ts";
import type { World } from "../../world/index.ts";
import type { AttemptResult } from "./attempt.ts";
import type { DetachedBodies } from "./detached-bodies.ts";
import type { RunningBodies } from "./running-bodies.ts";
import type { Slots } from "./slots.ts";

/** What an attempt needs around it. */

/** What an attempt asks and tells. Nothing any more once it is aborted. */
export interface AttemptListener {
  /** Whether the body may begin, after the attempt has waited. */
  mayBegin(): boolean;
  /** It may not: the attempt is over without having begun. */
  onPostponed(): void;
  /** Called once, unless it was postponed. */
  onEnd(result: AttemptResult): void;
}

/** What an attempt has from the execution that asked for it. */
export interface StepOwner {
  readonly runId: string;
  readonly workflow: string;
  /** What the body may know of the run, as it was when the attempt was asked for. */
  readonly metadata: () => WorkflowMetadata;
  readonly signals: Pick<Signals, "listen">;
  readonly largestValue: number;
  readonly headers: Headers;
}

/** What the attempts of one worker share. */
export interface AttemptHost {
  readonly clock: Clock;
  readonly slots: Slots;
  readonly detached: DetachedBodies;
  readonly bodies: RunningBodies;
  readonly world: World;
  readonly logger: Logger;
  readonly store: StepStore;
  /** The body of an attempt waits for the end of a run. */
  readonly onWaitsForRun: (step: PendingStep, owner: StepOwner, awaitedRunId: string) => void;
}
