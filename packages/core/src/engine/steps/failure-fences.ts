import type { Clock } from "../../clock.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { Logger } from "../../logger.ts";
import { outside } from "../../outside.ts";
import { type FailedStep, fencesOf } from "../../step-failures.ts";

/** What must be done before the failure of a step is journalled: see `beforeStepFailure`. */

export interface FailureFencesOptions {
  readonly runId: string;
  readonly workflow: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The run has something to deliver again. */
  readonly onRaised: () => void;
}

/** Between one try and the next, in milliseconds. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;

/** The fences of one run. */
export class FailureFences {
  readonly #options: FailureFencesOptions;
  /** Under way; what is taken out is given up. */
  readonly #underWay: Set<object> = new Set();

  constructor(options: FailureFencesOptions) {
    this.#options = options;
  }

  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /**
   * Raises what must stand before the step fails, and calls `then` when it does; `false` if nothing must. Tried again until it
   * succeeds: meanwhile the run waits, and if the run is lost here its next owner begins another attempt.
   */
  raise(step: PendingStep, then: () => void): boolean {
    const name = step.definition.id;
    const fences = fencesOf(name);
    if (fences.length === 0) return false;
    const { runId, onRaised } = this.#options;
    const failed: FailedStep = { runId, stepName: name, stepId: step.id, attempt: step.attempt };
    const work = {};
    this.#underWay.add(work);
    const raise = async (delay: number): Promise<void> => {
      if (!this.#underWay.has(work)) return;
      try {
        for (const fence of fences) await outside(() => fence(failed));
      } catch (error) {
        this.#retry(failed, error, delay, () => void raise(Math.min(2 * delay, LONGEST_DELAY)));
        return;
      }
      if (!this.#underWay.delete(work)) return;
      then();
      onRaised();
    };
    void raise(FIRST_DELAY);
    return true;
  }

  /** The run has ended, or is another's. */
  giveUp(): void {
    this.#underWay.clear();
  }

  #retry(
    { stepName: step, stepId, attempt }: FailedStep,
    error: unknown,
    delay: number,
    again: () => void,
  ): void {
    const { clock, logger, runId, workflow } = this.#options;
    logger.warn(
      "a step failed for good, and that could not be noted in the database of its transactions: the workflow gets the failure " +
        "when it is noted there, which is tried again. Check that the database can be reached",
      { runId, workflow, step, stepId, attempt, error },
    );
    clock.setTimer(clock.now() + delay, again);
  }
}
