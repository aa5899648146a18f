import ms from "ms";
import type { StepContext } from "../context.ts";
import { longestRetrying } from "../define/retry-policy.ts";
import { processWide } from "../process-wide.ts";

/**
 * How long a step is tried again, and how long the other side knows its key. An attempt that comes later than that is a new request
 * to the other side, and has its effect again.
 */

/** The step functions that were named. */
const warned: Set<string> = processWide("horizons", () => new Set());

/** Warns, once for each step function, if the step may be tried again when the other side has forgotten its key. */
export function warnOfHorizon({ step, options, logger }: StepContext, retention: number): void {
  const horizon = longestRetrying(options);
  if (horizon === null || horizon <= retention || warned.has(step.stepName)) return;
  warned.add(step.stepName);
  const [retries, keeps] = [lengthOf(horizon), lengthOf(retention)];
  logger.warn(
    `a step may be tried again ${retries === null ? "for ever" : `for ${retries}`}, but the other side keeps its idempotency keys for ` +
      `${keeps}: a later attempt would be a new request to it, with a second effect. Give the step a deadline of less than ${keeps}, or fewer retries`,
    { step: step.stepName, stepId: step.stepId, retriesForMs: horizon, keyRetentionMs: retention },
  );
}

function lengthOf(length: number): string | null {
  return length === Number.POSITIVE_INFINITY ? null : ms(length, { long: true });
}
