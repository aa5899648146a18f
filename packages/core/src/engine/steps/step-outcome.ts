import {
  backoffDelay,
  givenAtOnce,
  isAtMostOnce,
  lengthMs,
  maxRetriesOf,
} from "../../define/retry-policy.ts";
import {
  FatalError,
  RetryableError,
  retryAt as retryAfter,
  type StepFacts,
  StepInterruptedError,
  StepOutcomeUnknownError,
} from "../../errors/index.ts";
import { exhaustedError } from "../../errors/step.ts";
import type { PendingStep, RetryRecord } from "../../interpreter/kinds/step.ts";
import { decodeError, encodeError, inWords } from "../../serialization/index.ts";
import type { FailedAttempt } from "./attempt.ts";

/** What follows when an attempt of a step did not succeed. */

export type Verdict =
  | { readonly type: "retry"; readonly record: RetryRecord }
  /** `error` is encoded, with the step's name, id and attempt on it if it is an `Error` without properties of that name. */
  | { readonly type: "fail"; readonly error: Uint8Array };

/** A time that has passed. */
const AT_ONCE = 0;

/** Decides between another attempt and failure. `startedAt`: when the attempt began, if it is known; `now` is the engine's clock, `random` its generator (for the jitter). */
export function judgeFailure(
  step: PendingStep,
  { error, reason, final = false }: FailedAttempt,
  startedAt: number | null,
  now: number,
  random: () => number,
): Verdict {
  const { id, options } = step.definition;
  const interrupted = reason === "owner_lost" || reason === "shutdown";
  let failure = error;
  const fail = (): Verdict => {
    // What is caught of a step is an error, whatever its body threw and however often it was tried.
    if (!(failure instanceof Error)) {
      const storable = decodeError(encodeError(failure));
      failure = exhaustedError(id, step.failures, storable);
    }
    return { type: "fail", error: encodeError(failure, stepFacts(step)) };
  };
  const giveUp = (): Verdict => {
    if (step.failures > 0 && !StepOutcomeUnknownError.is(failure))
      failure = exhaustedError(id, step.failures, error);
    return fail();
  };
  try {
    if (final || FatalError.is(error)) return fail();
    const maxRetries = maxRetriesOf(options);
    const once = isAtMostOnce(id, options);
    const asks = once && options.reconcile !== undefined;
    if (once && (interrupted || reason === "timeout")) {
      failure = new StepOutcomeUnknownError(stepFacts(step), error);
    }
    if (once && !asks && !RetryableError.is(error)) return fail();
    if (maxRetries === 0 && !(asks && interrupted)) return fail();
    if (!interrupted && step.failures >= maxRetries) return giveUp();
    if (!interrupted && options.retryable !== undefined) {
      if (!givenAtOnce(options.retryable(error), "retryable")) return fail();
    }
    // By every worker's clock: another one must not think that the next attempt cannot have begun yet.
    const retryAt = interrupted
      ? AT_ONCE
      : RetryableError.is(error)
        ? Math.max(now, retryAfter(error, now))
        : now + backoffDelay(options, step.failures + 1, error, random);
    if (options.deadline !== undefined && retryAt > step.createdAt + lengthMs(options.deadline, "deadline"))
      return giveUp();
    const record: RetryRecord = {
      attempt: step.attempt,
      startedAt: step.startedAt ?? startedAt ?? step.createdAt,
      retryAt,
      reason,
      error: encodeError(error),
    };
    return { type: "retry", record };
  } catch (policyError) {
    // A user's `retryable` or `backoff` function threw: the step fails with that, its own error as the cause.
    const wrapped = new FatalError(
      `The retry policy of step ${step.definition.id} threw: ${inWords(policyError)}`,
      { cause: error },
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
