/**
 * Errors of steps: the two that a step throws to steer its retries, and those that the engine reports in its place.
 */
import { systemNow } from "../clock.ts";
import { type Duration, durationMs } from "../duration.ts";
import { checkOptionNames } from "../option-names.ts";
import { defineKind, isKind, isNamed, WorkflowError, type WorkflowErrorOptions } from "./base.ts";
import { shown } from "./thrown.ts";

/** Which attempt of which step. */
export interface StepFacts {
  readonly stepName: string;
  readonly stepId: string;
  /** Counts from 1. */
  readonly attempt: number;
}

/**
 * Thrown by a step: trying again is pointless, the step fails at once and the workflow sees this error.
 *
 * @example
 * if (response.status === 402) throw new FatalError("The card was declined");
 */
export class FatalError extends WorkflowError {
  readonly fatal: boolean = true;

  /** Also true for the error of this name of the Workflow SDK. */
  static override is(value: unknown): value is FatalError {
    return isKind(value, "FATAL") || isNamed(value, "FatalError");
  }
}
defineKind(FatalError, "FATAL");

/**
 * What the workflow gets when a step has been tried again in vain, or has thrown what is no `Error`; `cause` is what its last
 * attempt threw.
 */
export function exhaustedError(stepName: string, retries: number, last: unknown): FatalError {
  const said = typeof last === "string" ? last : (messageOf(last) ?? shown(last));
  return new FatalError(
    `Step "${stepName}" failed after ${retries} ${retries === 1 ? "retry" : "retries"}: ${said}`,
    { cause: last },
  );
}

/** What an error says, of whatever realm it is. */
function messageOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("message" in thrown)) return undefined;
  return typeof thrown.message === "string" ? thrown.message : undefined;
}

/**
 * What the workflow gets of a step that ended because a signal was aborted: a `FatalError`, since another attempt would only be
 * aborted again, under the name that such errors have everywhere.
 */
export function abortError(thrown: unknown, reason: unknown): FatalError & { readonly reason: unknown } {
  const isError = thrown instanceof Error;
  const said = isError ? thrown.message : typeof thrown === "string" ? thrown : "";
  const error = new FatalError(said === "" ? "The step was aborted." : said, { cause: thrown });
  const name = isError && thrown.name === "TimeoutError" ? thrown.name : "AbortError";
  Object.defineProperty(error, "name", { value: name, writable: true, configurable: true });
  return Object.assign(error, { reason });
}

/** In milliseconds. */
const DEFAULT_RETRY_AFTER = 1_000;

/** Options of {@link RetryableError}. */
export interface RetryableErrorOptions extends WorkflowErrorOptions {
  /** When to try again: milliseconds from now, a text such as `"5m"`, or the time itself. Default: one second. */
  retryAfter?: Duration;
}

/**
 * Thrown by a step to say when it should be tried again, instead of the step's backoff.
 *
 * @example
 * throw new RetryableError("Rate limited", { retryAfter: "1m" });
 */
export class RetryableError extends WorkflowError {
  /** When to try again, by the clock of the machine that threw. */
  readonly retryAfter: Date;
  /** The delay as it was given, in milliseconds; `undefined` if a time was given. */
  readonly retryDelayMs: number | undefined;

  /** @throws {TypeError} if `retryAfter` is negative or cannot be read */
  constructor(message: string, options: RetryableErrorOptions = {}) {
    checkOptionNames<RetryableErrorOptions>("RetryableError()", options, {
      retryAfter: true,
      cause: true,
      retryable: true,
    });
    super(message, options);
    const retryAfter = options.retryAfter ?? DEFAULT_RETRY_AFTER;
    this.retryDelayMs = durationMs(retryAfter, "RetryableError({ retryAfter })");
    this.retryAfter =
      this.retryDelayMs === undefined
        ? new Date(retryAfter as Date)
        : new Date(systemNow() + this.retryDelayMs);
  }

  /** Also true for the error of this name of the Workflow SDK. */
  static override is(value: unknown): value is RetryableError {
    return isKind(value, "RETRYABLE") || isNamed(value, "RetryableError");
  }
}
defineKind(RetryableError, "RETRYABLE");

/**
 * When to try again, in milliseconds since the epoch, by the clock whose time is `now`. A delay counts from `now`, so
 * the machine's clock and the engine's need not agree.
 */
export function retryAt(error: RetryableError, now: number): number {
  const { retryDelayMs, retryAfter } = error as { readonly [Key in keyof RetryableError]?: unknown };
  if (typeof retryDelayMs === "number") return now + retryDelayMs;
  // An error of this name, of somebody who knows nothing of ours, says no time.
  return retryAfter instanceof Date ? retryAfter.getTime() : now + DEFAULT_RETRY_AFTER;
}

/** An attempt of a step took longer than the step's `timeout`. */
export class StepTimeoutError extends WorkflowError {
  readonly stepName: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly timeoutMs: number;

  /** @param runningAttempt the earlier attempt whose body still ran here, so that this one could not begin */
  constructor(step: StepFacts, timeoutMs: number, runningAttempt?: number) {
    super(
      runningAttempt === undefined
        ? `Attempt ${step.attempt} of step "${step.stepName}" (${step.stepId}) did not finish within ${timeoutMs} ms; ` +
            `its signal was aborted. Raise the step's timeout, or end the work when the signal of getStepMetadata() aborts.`
        : `Attempt ${step.attempt} of step "${step.stepName}" (${step.stepId}) did not begin within ${timeoutMs} ms, ` +
            `because attempt ${runningAttempt} still runs in this process although its time is over. End the work when ` +
            `the signal of getStepMetadata() aborts.`,
    );
    this.stepName = step.stepName;
    this.stepId = step.stepId;
    this.attempt = step.attempt;
    this.timeoutMs = timeoutMs;
  }

  static override is(value: unknown): value is StepTimeoutError {
    return isKind(value, "STEP_TIMEOUT");
  }
}
defineKind(StepTimeoutError, "STEP_TIMEOUT");

/** The worker that executed a step was lost in mid-attempt, so nobody knows how far the attempt got. */
export class StepInterruptedError extends WorkflowError {
  readonly stepName: string;
  readonly stepId: string;
  readonly attempt: number;

  constructor(step: StepFacts) {
    super(
      `The worker was lost during attempt ${step.attempt} of step "${step.stepName}" (${step.stepId}). What the attempt ` +
        `did outside is unknown; the next attempt has the same stepId, so pass it on as the idempotency key.`,
    );
    this.stepName = step.stepName;
    this.stepId = step.stepId;
    this.attempt = step.attempt;
  }

  static override is(value: unknown): value is StepInterruptedError {
    return isKind(value, "STEP_INTERRUPTED");
  }
}
defineKind(StepInterruptedError, "STEP_INTERRUPTED");

/**
 * An attempt of a step with `semantics: "at-most-once"` was cut off, or its time was over, so nobody here knows what it did outside;
 * its body is not called again. `cause` says what became of the attempt.
 */
export class StepOutcomeUnknownError extends WorkflowError {
  readonly stepName: string;
  readonly stepId: string;
  readonly attempt: number;

  constructor(step: StepFacts, cause: unknown) {
    const reason = cause instanceof Error ? ` (${cause.name})` : "";
    super(
      `Whether step "${step.stepName}" (${step.stepId}) has done its work is not known: attempt ${step.attempt} did not come to its ` +
        `end${reason}, and the step is at-most-once. Ask the other side what it has under this stepId; the step's option ` +
        "`reconcile` does that by itself.",
      { cause },
    );
    this.stepName = step.stepName;
    this.stepId = step.stepId;
    this.attempt = step.attempt;
  }

  static override is(value: unknown): value is StepOutcomeUnknownError {
    return isKind(value, "STEP_OUTCOME_UNKNOWN");
  }
}
defineKind(StepOutcomeUnknownError, "STEP_OUTCOME_UNKNOWN");

/**
 * A transaction of an attempt that is over was not executed: its step has failed, is done, or belongs to a retry of the run. Nothing
 * was written, and nothing is to be done: nobody waits for this attempt.
 */
export class StaleAttemptError extends WorkflowError {
  readonly stepId: string;
  readonly attempt: number;

  constructor({ stepName, stepId, attempt }: StepFacts) {
    super(
      `Attempt ${attempt} of step "${stepName}" (${stepId}) is over, so its transaction was not executed: whoever goes on with the ` +
        "step, or has given it up, decides.",
    );
    this.stepId = stepId;
    this.attempt = attempt;
  }

  static override is(value: unknown): value is StaleAttemptError {
    return isKind(value, "STALE_ATTEMPT");
  }
}
defineKind(StaleAttemptError, "STALE_ATTEMPT");
