import type { StepContext } from "../../context.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { StepMetadata } from "../../metadata.ts";
import { StepKeys } from "../../outbound/step-keys.ts";
import type { AttemptSignals } from "./attempt-signals.ts";

/** What the body of a step finds around it. */

export interface StepContextParts extends Omit<StepContext, "kind" | "step" | "options" | "keys" | "starts"> {
  readonly pending: PendingStep;
  readonly attempt: number;
  /** When the body is called. */
  readonly startedAt: number;
  readonly signals: AttemptSignals;
}

export function stepContext({ pending, attempt, startedAt, ...parts }: StepContextParts): StepContext {
  const step = {
    stepName: pending.definition.id,
    stepId: pending.id,
    attempt,
    stepStartedAt: new Date(pending.startedAt ?? startedAt),
    attemptStartedAt: new Date(startedAt),
  };
  // Not enumerable, so that what the body is told can be stored.
  Object.defineProperty(step, "signal", { get: () => parts.signals.signal });
  return {
    kind: "step",
    ...parts,
    step: step as StepMetadata,
    options: pending.definition.options,
    keys: new StepKeys(pending.id),
    starts: 0,
  };
}
