import { type AttemptOutcome, measured, measures } from "../../interceptors/index.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { AttemptResult } from "./attempt.ts";
import type { AttemptHost, StepOwner } from "./attempt-host.ts";

/** Tells the interceptors how long attempts take. */

/** Called when the attempt is over; `null`: it was given up. */
export type AttemptEnd = (result: AttemptResult | null) => void;

/** For an attempt that nobody measures. */
export const unmeasured: AttemptEnd = () => {};

/** The body of an attempt begins. */
export function measureAttempt(
  step: PendingStep,
  { workflow: workflowName }: StepOwner,
  { clock, logger }: AttemptHost,
): AttemptEnd {
  if (!measures()) return unmeasured;
  const from = clock.elapsed();
  return (result) => {
    const duration = clock.elapsed() - from;
    const outcome = outcomeOf(result);
    measured(logger, {
      type: "step_attempt",
      workflowName,
      stepName: step.definition.id,
      outcome,
      duration,
    });
  };
}

function outcomeOf(result: AttemptResult | null): AttemptOutcome {
  if (result?.type === "completed") return "completed";
  if (result?.reason === "timeout") return "timeout";
  return result?.reason === "error" ? "failed" : "given_up";
}
