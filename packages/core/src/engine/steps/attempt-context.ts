import type { StepContext } from "../../context.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { StepMetadata, WorkflowMetadata } from "../../metadata.ts";
import { StepKeys } from "../../outbound/step-keys.ts";
import type { AttemptSignals } from "./attempt-signals.ts";

/** What the body of a step finds around it. What few bodies ask for is made when one does. */

export interface StepContextParts
  extends Omit<StepContext, "kind" | "step" | "workflow" | "options" | "keys" | "starts" | "withKeys"> {
  readonly pending: PendingStep;
  readonly attempt: number;
  /** When the body is called. */
  readonly startedAt: number;
  readonly signals: AttemptSignals;
  readonly workflow: () => WorkflowMetadata;
}

export class AttemptContext implements StepContext {
  readonly kind = "step";
  readonly duringRun: StepContext["duringRun"];
  readonly signals: AttemptSignals;
  readonly world: StepContext["world"];
  readonly streams: StepContext["streams"];
  readonly store: StepContext["store"];
  readonly logger: StepContext["logger"];
  readonly isOver: StepContext["isOver"];
  readonly headers: StepContext["headers"];
  readonly keys: StepKeys;
  starts = 0;
  readonly #parts: StepContextParts;
  #step: StepMetadata | null = null;
  #workflow: WorkflowMetadata | null = null;

  constructor(parts: StepContextParts, keys: StepKeys = new StepKeys(parts.pending.id)) {
    this.#parts = parts;
    this.keys = keys;
    this.duringRun = parts.duringRun;
    this.signals = parts.signals;
    this.world = parts.world;
    this.streams = parts.streams;
    this.store = parts.store;
    this.logger = parts.logger;
    this.isOver = parts.isOver;
    this.headers = parts.headers;
  }

  get options(): StepContext["options"] {
    return this.#parts.pending.definition.options;
  }

  get step(): StepMetadata {
    this.#step ??= stepMetadata(this.#parts);
    return this.#step;
  }

  get workflow(): WorkflowMetadata {
    this.#workflow ??= this.#parts.workflow();
    return this.#workflow;
  }

  withKeys(keys: StepKeys): StepContext {
    return new AttemptContext(this.#parts, keys);
  }
}

function stepMetadata({ pending, attempt, startedAt, signals }: StepContextParts): StepMetadata {
  const step = {
    stepName: pending.definition.id,
    stepId: pending.id,
    attempt,
    stepStartedAt: new Date(pending.startedAt ?? startedAt),
    attemptStartedAt: new Date(startedAt),
  };
  // Not enumerable, so that what the body is told can be stored.
  return Object.defineProperty(step, "signal", { get: () => signals.signal }) as StepMetadata;
}
