import type { StepContext } from "../../context.ts";
import type { StepMetadata, WorkflowMetadata } from "../../metadata.ts";
import { StepKeys } from "../../outbound/step-keys.ts";
import type { Attempt } from "./attempt.ts";
import type { AttemptHost, StepOwner } from "./attempt-host.ts";
import type { AttemptSignals } from "./attempt-signals.ts";
import type { AttemptStreams } from "./attempt-streams.ts";

/** What the body of a step finds around it. Few bodies ask for any of it, so each part is made when one does. */

/** The attempt, as its body's context sees it. */
export interface ContextualAttempt extends Pick<Attempt, "step" | "attempt" | "startedAt"> {
  readonly host: AttemptHost;
  readonly owner: StepOwner;
  /** What of its run was known when it was asked for. */
  readonly attributes: StepOwner["attributes"];
  readonly signals: AttemptSignals;
  readonly streams: AttemptStreams;
  readonly over: boolean;
  duringRun<T>(runId: string, ended: Promise<T>): Promise<T>;
}

export class AttemptContext implements StepContext {
  readonly kind = "step";
  starts = 0;
  readonly #attempt: ContextualAttempt;
  #keys: StepKeys | null;
  #step: StepMetadata | null = null;
  #workflow: WorkflowMetadata | null = null;

  constructor(attempt: ContextualAttempt, keys: StepKeys | null = null) {
    this.#attempt = attempt;
    this.#keys = keys;
  }

  get keys(): StepKeys {
    this.#keys ??= new StepKeys(this.#attempt.step.id);
    return this.#keys;
  }

  get signals(): AttemptSignals {
    return this.#attempt.signals;
  }

  get streams(): AttemptStreams {
    return this.#attempt.streams;
  }

  get world(): StepContext["world"] {
    return this.#attempt.host.world;
  }

  get store(): StepContext["store"] {
    return this.#attempt.host.store;
  }

  get logger(): StepContext["logger"] {
    return this.#attempt.host.logger;
  }

  get headers(): StepContext["headers"] {
    return this.#attempt.owner.headers;
  }

  get options(): StepContext["options"] {
    return this.#attempt.step.definition.options;
  }

  get isOver(): boolean {
    return this.#attempt.over;
  }

  get step(): StepMetadata {
    this.#step ??= stepMetadata(this.#attempt);
    return this.#step;
  }

  get workflow(): WorkflowMetadata {
    const { owner, attributes } = this.#attempt;
    this.#workflow ??= owner.metadata(attributes);
    return this.#workflow;
  }

  duringRun<T>(runId: string, ended: Promise<T>): Promise<T> {
    return this.#attempt.duringRun(runId, ended);
  }

  withKeys(keys: StepKeys): StepContext {
    return new AttemptContext(this.#attempt, keys);
  }
}

function stepMetadata(of: ContextualAttempt): StepMetadata {
  const { step, attempt } = of;
  const startedAt = of.startedAt ?? 0;
  const metadata = {
    stepName: step.definition.id,
    stepId: step.id,
    attempt,
    stepStartedAt: new Date(step.startedAt ?? startedAt),
    attemptStartedAt: new Date(startedAt),
  };
  // Not enumerable, so that what the body is told can be stored.
  return Object.defineProperty(metadata, "signal", { get: () => of.signals.signal }) as StepMetadata;
}
