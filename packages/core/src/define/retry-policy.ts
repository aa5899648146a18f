import { type Duration, durationMs } from "../duration.ts";
import { DurationError } from "../errors/index.ts";

/** How a step is retried: the options a user may set on a step, and the defaults. */

/** A length of time: milliseconds, or a text such as `"30s"`. */
export type Length = Exclude<Duration, Date>;

/** Waiting times between attempts: `initial · factor^(n-1)`, at most `max`, the last `jitter` share of it random. */
export interface ExponentialBackoff {
  /** Default 500 ms. */
  readonly initial?: Length;
  /** Default 2. */
  readonly factor?: number;
  /** Default 1 minute. */
  readonly max?: Length;
  /** Share of the delay that is random, 0 to 1. Default 0.5. */
  readonly jitter?: number;
}

/** Per-step options, given to `step(id, fn, options)` or set as properties of the step function. */
export interface StepOptions {
  /**
   * How many failures are followed by another attempt. Default 3, so 4 attempts. 0 means at most once: the body is never
   * called again, not even when the worker was lost in the middle of it.
   *
   * An attempt that was cut off because its worker died or shut down counts in `attempt`, but not here: it says nothing
   * about the step. A run that loses worker after worker is executed alone, and in the end parked: see `PoisonedRunError`.
   */
  maxRetries?: number;
  /** An exponential backoff, or a function from the number of failures so far (from 1) and the last error to a delay. */
  backoff?: ExponentialBackoff | ((failures: number, error: unknown) => Length);
  /** Longest time of one attempt; then its signal is aborted and the attempt has failed. Default none. */
  timeout?: Length;
  /** Longest time from the step's creation to the start of its last attempt. Default none. */
  deadline?: Length;
  /** Which errors are worth another attempt. Default: all but `FatalError`. */
  retryable?: (error: unknown) => boolean;
}

/** The default number of attempts after the first. */
export const DEFAULT_MAX_RETRIES = 3;

const DEFAULT_BACKOFF = { initial: 500, factor: 2, max: 60_000, jitter: 0.5 } as const;

/** The length of a duration that is no point in time, in milliseconds. */
export function lengthMs(value: Length): number {
  const length = durationMs(value);
  if (length === undefined) throw new DurationError(value);
  return length;
}

/** The delay before the next attempt, in milliseconds. */
export function backoffDelay(
  backoff: StepOptions["backoff"],
  failures: number,
  error: unknown,
  random: () => number,
): number {
  if (typeof backoff === "function") return lengthMs(backoff(failures, error));
  const initial = lengthMs(backoff?.initial ?? DEFAULT_BACKOFF.initial);
  const max = lengthMs(backoff?.max ?? DEFAULT_BACKOFF.max);
  const factor = backoff?.factor ?? DEFAULT_BACKOFF.factor;
  const jitter = Math.min(Math.max(backoff?.jitter ?? DEFAULT_BACKOFF.jitter, 0), 1);
  // No delay stays none, also where the power is infinite.
  const whole = initial === 0 ? 0 : Math.min(initial * factor ** (failures - 1), max);
  return Math.round(whole * (1 - jitter * random()));
}

/** Checks options where they are set, so that a typo is found at definition and not at the first failure. */
export function checkStepOptions(id: string, options: StepOptions): void {
  const { maxRetries } = options;
  if (
    maxRetries !== undefined &&
    !(Number.isInteger(maxRetries) && maxRetries >= 0) &&
    maxRetries !== Infinity
  ) {
    throw new TypeError(
      `Step ${id}: maxRetries must be a whole number from 0, or Infinity; got ${maxRetries}.`,
    );
  }
  if (options.timeout !== undefined) lengthMs(options.timeout);
  if (options.deadline !== undefined) lengthMs(options.deadline);
  if (typeof options.backoff === "object") checkBackoff(id, options.backoff);
}

function checkBackoff(id: string, { initial, max, factor, jitter }: ExponentialBackoff): void {
  if (initial !== undefined) lengthMs(initial);
  if (max !== undefined) lengthMs(max);
  if (factor !== undefined && !(factor >= 0)) {
    throw new TypeError(`Step ${id}: backoff.factor must be a number from 0; got ${factor}.`);
  }
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1)) {
    throw new TypeError(`Step ${id}: backoff.jitter must be a share from 0 to 1; got ${jitter}.`);
  }
}
