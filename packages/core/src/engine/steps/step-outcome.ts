import { backoffDelay, isAtMostOnce, lengthMs, maxRetriesOf } from "../../define/retry-policy.ts";
import {
  FatalError,
  RetryableError,
  retryAt as retryAfter,
  type StepFacts,
  StepInterruptedError,
  StepOutcomeUnknownError,
} from "../../errors/index.ts";
import type { PendingStep, RetryRecord } from "../../interpreter/kinds/step.ts";
import { encodeError } from "../../serialization/index.ts";

/** What follows when an attempt of a step did not succeed. */

export type Verdict =
  | { readonly type: "retry"; readonly record: RetryRecord }
  /** `error` is encoded, with the step's name, id and attempt on it if it is an `Error` without properties of that name. */
  | { readonly type: "fail"; readonly error: Uint8Array };

/** A time that has passed. */
const AT_ONCE = 0;

/** Decides between another attempt and failure. `now` is the engine's clock, `random` its generator (for the jitter). */
export function judgeFailure(
  step: PendingStep,
  error: unknown,
  reason: RetryRecord["reason"],
  now: number,
  random: () => number,
): Verdict {
  const { id, options } = step.definition;
  const interrupted = reason === "owner_lost" || reason === "shutdown";
  let failure = error;
  const fail = (): Verdict => ({ type: "fail", error: encodeError(failure, stepFacts(step)) });
  try {
    if (FatalError.is(error)) return fail();
    const maxRetries = maxRetriesOf(options);
    const once = isAtMostOnce(id, options);
    const asks = once && options.reconcile !== undefined;
    if (once && (interrupted || reason === "timeout")) {
      failure = new StepOutcomeUnknownError(stepFacts(step), error);
    }
    if (once && !asks && !RetryableError.is(error)) return fail();
    if (maxRetries === 0 && !(asks && interrupted)) return fail();
    if (!interrupted && step.failures >= maxRetries) return fail();
    if (!interrupted && options.retryable !== undefined && !options.retryable(error)) return fail();
    // By every worker's clock: another one must not think that the next attempt cannot have begun yet.
    const retryAt = interrupted
      ? AT_ONCE
      : RetryableError.is(error)
        ? Math.max(now, retryAfter(error, now))
        : now + backoffDelay(options, step.failures + 1, error, random);
    if (options.deadline !== undefined && retryAt > step.createdAt + lengthMs(options.deadline, "deadline"))
      return fail();
    return { type: "retry", record: { attempt: step.attempt, retryAt, reason, error: encodeError(error) } };
  } catch (policyError) {
    // A user's `retryable` or `backoff` function threw: the step fails with that, its own error as the cause.
    const wrapped = new FatalError(
      `The retry policy of step ${step.definition.id} threw: ${String(policyError)}`,
      {
        cause: error,
      },
    );
    return { type: "fail", error: encodeError(wrapped, stepFacts(step)) };
  }
}

/** The failure of an attempt whose worker went away. */
export function interruptedError(step: PendingStep): StepInterruptedError {
  return new StepInterruptedError(stepFacts(step));
}

/** What the errors of a step say of it. */
export function stepFacts(step: PendingStep): StepFacts {
  return { stepName: step.definition.id, stepId: step.id, attempt: step.attempt };
}
