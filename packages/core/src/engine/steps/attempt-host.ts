import type { Clock } from "../../clock.ts";
import type { StepStore } from "../../context.ts";
import type { Headers } from "../../interpreter/kinds/headers.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { Signals } from "../../interpreter/signals.ts";
import type { Logger } from "../../logger.ts";
import type { WorkflowMetadata } from "../../metadata.ts";
import type { Attributes, World } from "../../world/index.ts";
import type { Attempt, AttemptResult } from "./attempt.ts";
import type { DetachedBodies } from "./detached-bodies.ts";
import type { RunningBodies } from "./running-bodies.ts";
import type { Slots } from "./slots.ts";

/** What an attempt needs around it. */

/** The run that asks for attempts: what they have from it, and what they ask and tell it. */
export interface StepOwner {
  readonly runId: string;
  readonly workflow: string;
  readonly signals: Pick<Signals, "listen">;
  readonly largestValue: number;
  readonly headers: Headers;
  /** Those of the run now. */
  readonly attributes: Attributes;
  /** What a body may know of the run, with the attributes that it had when the attempt was asked for. */
  metadata(attributes: Attributes): WorkflowMetadata;
  /**
   * Whether a body of the step may begin at this moment: the run waits for the step, and its lease has not run out. Nothing else
   * decides it, and it is asked again whenever time has passed.
   */
  mayBegin(step: PendingStep): boolean;
  /** It may not: if the run waits for the step, that is started again when the store has said that the lease is still ours. */
  postpone(step: PendingStep): void;
  /** Called once, unless the attempt was postponed or aborted. */
  onEnd(attempt: Attempt, result: AttemptResult): void;
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
