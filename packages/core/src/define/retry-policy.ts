import { type Duration, durationMs } from "../duration.ts";
import { checkOptionNames, checkPropertyNames, type OptionNames } from "../option-names.ts";
import { processWide } from "../process-wide.ts";

/** How a step is retried: the options a user may set on a step, and the defaults. */

/** A length of time: milliseconds, or a text such as `"30s"`. */
export type Length = Exclude<Duration, Date>;

/** Waiting times between attempts: `initial · factor^(n-1)`, at most `max`, the last `jitter` share of it random. */
export interface ExponentialBackoff {
  /** Default 1 second. */
  readonly initial?: Length;
  /** Default 6. */
  readonly factor?: number;
  /** Default 5 minutes. */
  readonly max?: Length;
  /** Share of the delay that is random, 0 to 1. Default 0.25. */
  readonly jitter?: number;
}

/** Per-step options, given to `step(id, fn, options)` or set as properties of the step function. */
export interface StepOptions {
  /**
   * How many failures are followed by another attempt. Default 3, so 4 attempts. 0 means at most once: the body is never
   * called again, not even when the worker was lost in the middle of it.
   *
   * With the default backoff the attempts begin 1 s, 6 s and 36 s after the failure before them, each up to a quarter
   * sooner, so a service that is away for 32 seconds is survived. Further ones follow 3 min 36 s and then 5 minutes after
   * another. `configure({ retry })` sets other defaults for the process.
   *
   * An attempt that was cut off because its worker died or shut down counts in `attempt`, but not here: it says nothing
   * about the step. A run that loses worker after worker is executed alone, and in the end parked: see `PoisonedRunError`.
   */
  maxRetries?: number;
  /** An exponential backoff, or a function from the number of failures so far (from 1) and the last error to a delay. */
  backoff?: ExponentialBackoff | ((failures: number, error: unknown) => Length);
  /**
   * Longest time of one attempt; then its signal is aborted and the attempt has failed. Default none.
   *
   * A body is never called a second time while it still runs in the same process. If it goes on after its signal was
   * aborted, the next attempt waits for its end, at most for this time, and has then failed too: a step that ignores its
   * signal for ever fails after `(maxRetries + 1) × timeout` and the pauses between. Other machines do not wait for it.
   */
  timeout?: Length;
  /** Longest time from the step's creation to the start of its last attempt. Default none. */
  deadline?: Length;
  /** Which errors are worth another attempt. Default: all but `FatalError`. */
  retryable?: (error: unknown) => boolean;
  /**
   * `"at-most-once"`: the body is not called again when nobody knows what it has done. An attempt that is cut off with its worker, or
   * whose `timeout` is over, fails the step with a `StepOutcomeUnknownError`; an error that the body throws fails it with that error,
   * unless it is a `RetryableError`, with which the body says that it may be called again. {@link reconcile} says more.
   * Default `"at-least-once"`.
   */
  semantics?: "at-least-once" | "at-most-once";
  /**
   * For a step with `semantics: "at-most-once"`: asks the other side what it knows of the step. It is called in place of the body, in
   * each attempt after the first, with the `stepId` and the arguments, which the body was called with too. What it gives is the step's
   * result; `undefined` says that nothing happened and never will, and the body is called. So attempts are repeated: at once where one
   * was cut off, and as the retry options say where one failed. What it throws counts as a failure of the attempt.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the arguments of the step, which has its own types for them.
  reconcile?: (stepId: string, args: any[]) => Promise<unknown>;
}

const STEP_OPTIONS: OptionNames<StepOptions> = {
  maxRetries: true,
  backoff: true,
  timeout: true,
  deadline: true,
  retryable: true,
  semantics: true,
  reconcile: true,
};

/** What steps of a process have where they set nothing themselves: see {@link StepOptions}. */
export type RetryDefaults = Pick<StepOptions, "maxRetries" | "backoff">;

/** The default number of attempts after the first. */
const DEFAULT_MAX_RETRIES = 3;

/** The shortest delays, 0.75 · (1 + 6 + 36) s, are longer together than an outage of half a minute. */
const DEFAULT_BACKOFF = { initial: 1_000, factor: 6, max: 300_000, jitter: 0.25 } as const;

/** What `configure({ retry })` set. */
const processDefaults: { retry: RetryDefaults | undefined } = processWide("retry", () => ({
  retry: undefined,
}));

/** Sets how steps of this process are retried that have no options of their own. */
export function setRetryDefaults(retry: RetryDefaults | undefined): void {
  processDefaults.retry = retry === undefined ? undefined : { ...retry };
}

/** The length of a duration that is no point in time, in milliseconds. */
export function lengthMs(value: Length, what: string): number {
  const length = durationMs(value, what);
  if (length === undefined) throw new TypeError(`${what}: must be a length of time, got a Date.`);
  return length;
}

/**
 * What a function of a step's options gave. A promise is no answer, and must not end the process when it is rejected.
 *
 * @throws {TypeError} for a promise
 */
export function givenAtOnce<T>(value: T, option: string): T {
  if (!(value instanceof Promise)) return value;
  value.catch(() => {});
  throw new TypeError(`${option} gave a promise: it has to answer at once.`);
}

/** How many failures of a step with these options are followed by another attempt. */
export function maxRetriesOf({ maxRetries }: RetryDefaults): number {
  return maxRetries ?? processDefaults.retry?.maxRetries ?? DEFAULT_MAX_RETRIES;
}

/** The delay before the next attempt of a step with these options, in milliseconds. */
export function backoffDelay(
  options: RetryDefaults,
  failures: number,
  error: unknown,
  random: () => number,
): number {
  const backoff = options.backoff ?? processDefaults.retry?.backoff;
  if (typeof backoff === "function")
    return lengthMs(givenAtOnce(backoff(failures, error), "backoff"), "what backoff gave");
  const initial = lengthMs(backoff?.initial ?? DEFAULT_BACKOFF.initial, "backoff.initial");
  const max = lengthMs(backoff?.max ?? DEFAULT_BACKOFF.max, "backoff.max");
  const factor = backoff?.factor ?? DEFAULT_BACKOFF.factor;
  const jitter = Math.min(Math.max(backoff?.jitter ?? DEFAULT_BACKOFF.jitter, 0), 1);
  // No delay stays none, also where the power is infinite.
  const whole = initial === 0 ? 0 : Math.min(initial * factor ** (failures - 1), max);
  return Math.round(whole * (1 - jitter * random()));
}

/** How many failures are looked at singly, before the delay counts as settled. */
const LOOKED_AT = 1_000;

/**
 * The longest time from the first attempt of a step with these options to the beginning of its last, in ms, if each failure follows
 * as late as it can; `null` if only a `backoff` function knows. Times in which no worker was there come on top.
 */
export function longestRetrying(options: StepOptions): number | null {
  const deadline =
    options.deadline === undefined ? Number.POSITIVE_INFINITY : lengthMs(options.deadline, "deadline");
  const retries = maxRetriesOf(options);
  if (typeof (options.backoff ?? processDefaults.retry?.backoff) === "function") {
    return deadline === Number.POSITIVE_INFINITY ? null : deadline;
  }
  let length = options.timeout === undefined ? 0 : retries * lengthMs(options.timeout, "timeout");
  let pause = 0;
  for (let failures = 1; failures <= Math.min(retries, LOOKED_AT); failures++) {
    pause = backoffDelay(options, failures, undefined, () => 0);
    length += pause;
  }
  if (retries > LOOKED_AT && pause > 0) length += pause * (retries - LOOKED_AT);
  return Math.min(length, deadline);
}

/**
 * Whether the body of a step with these options may not be called again when nobody knows what it has done.
 *
 * @throws {TypeError} for options that cannot be meant: they are set as properties, too, where nobody looks at them
 */
export function isAtMostOnce(id: string, { semantics, reconcile }: StepOptions): boolean {
  if (semantics !== undefined && semantics !== "at-least-once" && semantics !== "at-most-once") {
    throw new TypeError(
      `Step ${id}: semantics must be "at-least-once" or "at-most-once"; got ${JSON.stringify(semantics)}.`,
    );
  }
  if (reconcile !== undefined && (typeof reconcile !== "function" || semantics !== "at-most-once")) {
    throw new TypeError(`Step ${id}: reconcile must be a function, and semantics "at-most-once" beside it.`);
  }
  return semantics === "at-most-once";
}

/** Checks options where they are set, so that a typo is found at definition and not at the first failure. */
export function checkStepOptions(id: string, options: StepOptions): void {
  checkOptionNames(`Step ${id}`, options, STEP_OPTIONS);
  checkStepValues(id, options);
}

/** Checks the options that were set as properties of the step function, once, when it is first called. */
export function checkStepProperties(id: string, fn: StepOptions): void {
  if (checked.has(fn)) return;
  checkPropertyNames(`Step ${id}`, fn, STEP_OPTIONS);
  checkStepValues(id, fn);
  checked.add(fn);
}

const checked = new WeakSet<StepOptions>();

function checkStepValues(id: string, options: StepOptions): void {
  checkRetry(`Step ${id}`, options);
  isAtMostOnce(id, options);
  const { timeout, deadline, retryable } = options;
  if (timeout !== undefined) lengthMs(timeout, `Step ${id}: timeout`);
  if (deadline !== undefined) lengthMs(deadline, `Step ${id}: deadline`);
  if (retryable !== undefined && typeof retryable !== "function") {
    throw new TypeError(`Step ${id}: retryable must be a function, got ${typeof retryable}.`);
  }
}

/** Checks the options of `configure({ retry })`. */
export function checkRetryDefaults(options: RetryDefaults): void {
  checkOptionNames<RetryDefaults>("configure({ retry })", options, { maxRetries: true, backoff: true });
  checkRetry("configure({ retry })", options);
}

function checkRetry(where: string, { maxRetries, backoff }: RetryDefaults): void {
  if (
    maxRetries !== undefined &&
    !(Number.isInteger(maxRetries) && maxRetries >= 0) &&
    maxRetries !== Infinity
  ) {
    throw new TypeError(
      `${where}: maxRetries must be a whole number from 0, or Infinity; got ${maxRetries}.`,
    );
  }
  if (backoff === undefined || typeof backoff === "function") return;
  if (typeof backoff !== "object" || backoff === null) {
    throw new TypeError(
      `${where}: backoff must be { initial, factor, max, jitter } or a function; got ${JSON.stringify(backoff)}. ` +
        'For the same delay each time: { initial: "1s", factor: 1 }.',
    );
  }
  checkBackoff(where, backoff);
}

function checkBackoff(where: string, backoff: ExponentialBackoff): void {
  checkOptionNames<ExponentialBackoff>(`${where}: backoff`, backoff, {
    initial: true,
    factor: true,
    max: true,
    jitter: true,
  });
  const { initial, max, factor, jitter } = backoff;
  if (initial !== undefined) lengthMs(initial, `${where}: backoff.initial`);
  if (max !== undefined) lengthMs(max, `${where}: backoff.max`);
  if (factor !== undefined && !(factor >= 0)) {
    throw new TypeError(`${where}: backoff.factor must be a number from 0; got ${factor}.`);
  }
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1)) {
    throw new TypeError(`${where}: backoff.jitter must be a share from 0 to 1; got ${jitter}.`);
  }
}
