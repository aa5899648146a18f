import type { Clock } from "../../clock.ts";
import type { StepStore } from "../../context.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { Logger } from "../../logger.ts";
import type { World } from "../../world/index.ts";
import type { Attempt } from "./attempt.ts";
import type { AttemptHost, StepOwner } from "./attempt-host.ts";
import { DetachedBodies } from "./detached-bodies.ts";
import { runningBodies } from "./running-bodies.ts";
import { Slots } from "./slots.ts";
import { StepAttempt } from "./step-attempt.ts";

/** Executing step bodies: how many at once, and what is known of those that run. */

export interface StepRunnerOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many bodies run at once. */
  readonly concurrency: number;
  /** How many bodies may go on beside them when their attempts are over. */
  readonly maxDetached: number;
  /** What steps do to the store by themselves. */
  readonly store: StepStore;
  /** There may be room for more runs: fewer bodies go on than may, or a body waits for a run and lends its slot. */
  readonly onRoom: () => void;
}

export class StepRunner {
  readonly slots: Slots;
  readonly detached: DetachedBodies;
  readonly #host: AttemptHost;
  readonly #logger: Logger;
  /** Workflows whose steps wait for runs; each is named once. */
  readonly #warned: Set<string> = new Set();

  constructor(options: StepRunnerOptions) {
    const { world, clock, logger, concurrency, maxDetached, store, onRoom } = options;
    this.slots = new Slots(concurrency);
    this.detached = new DetachedBodies({ clock, logger, limit: maxDetached, onBelowLimit: onRoom });
    this.#logger = logger;
    this.#host = {
      clock,
      slots: this.slots,
      detached: this.detached,
      bodies: runningBodies(world),
      world,
      logger,
      store,
      onWaitsForRun: (step, owner, awaited) => {
        this.#warn(step, owner, awaited);
        onRoom();
      },
    };
  }

  /** Starts an attempt, one of `attempts`, as soon as no body of its step runs in this process and there is a slot. */
  start(step: PendingStep, owner: StepOwner, attempts: Map<string, Attempt>): void {
    const attempt = new StepAttempt(this.#host, step, owner);
    attempts.set(step.id, attempt);
    attempt.start();
  }

  #warn(step: PendingStep, { runId, workflow }: StepOwner, awaitedRunId: string): void {
    // It reads a stream of its own run, which nobody started for it.
    if (awaitedRunId === runId || this.#warned.has(workflow)) return;
    this.#warned.add(workflow);
    this.#logger.warn(
      "a step waits for a run: it takes no slot meanwhile, but its own run stays in memory, and after a crash the step " +
        "begins again. Start the awaited run with an idempotencyKey",
      { runId, workflow, step: step.definition.id, stepId: step.id, awaitedRunId },
    );
  }
}
