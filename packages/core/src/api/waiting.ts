import type { Clock } from "../clock.ts";
import { currentContext } from "../context.ts";
import { type Duration, parseDuration } from "../duration.ts";
import type { RunEnding } from "../engine/commits/completions.ts";
import { WorkflowRunNotCompletedError } from "../errors/index.ts";

/** How long somebody waits for a run: until a time is over, or until a signal is aborted. */

/** Options of {@link Run.result}. */
export interface ResultOptions {
  /** How long to wait at most; then it is a `WorkflowRunNotCompletedError`. Default: as long as it takes. */
  readonly timeout?: Duration;
  /** Ends the waiting; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Where the run has failed and `retry()` has made another one go on for it, waits for that one, and for the one that goes on for
   * that. A run that failed and was not retried by then is a `WorkflowRunFailedError` as ever. Default `false`.
   */
  readonly follow?: boolean;
}

/**
 * Reads what was passed to `result`.
 *
 * @throws {TypeError} for a signal or a timeout that is none, and a `follow` that is not a boolean
 */
export function resultOptions({ timeout, signal, follow }: ResultOptions = {}): ResultOptions {
  if (timeout !== undefined) parseDuration(timeout, 0, "timeout");
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`result(): signal must be an AbortSignal, got ${typeof signal}.`);
  }
  if (follow !== undefined && typeof follow !== "boolean") {
    throw new TypeError(`result(): follow must be a boolean, got ${typeof follow}.`);
  }
  return {
    ...(timeout !== undefined && { timeout }),
    ...(signal !== undefined && { signal }),
    ...(follow === true && { follow }),
  };
}

/** Waits for what a run does. A step gives its slot to others meanwhile, which that may need. */
export function lendingSlot<T>(runId: string, work: Promise<T>): Promise<T> {
  const context = currentContext();
  return context?.kind === "step" ? context.duringRun(runId, work) : work;
}

/** How the run ended, or the last of those that go on for it. */
export async function endOfLine(
  runId: string,
  ended: (runId: string) => Promise<RunEnding>,
  successor: (runId: string) => Promise<string | null>,
): Promise<RunEnding> {
  for (let last = runId; ; ) {
    const ending = await ended(last);
    const next = ending.status === "failed" ? await successor(last) : null;
    if (next === null) return ending;
    last = next;
  }
}

/** The time that a wait which begins at `now` is given, in milliseconds. */
export function lengthOf(timeout: Duration, now: number): number {
  return Math.max(parseDuration(timeout, now, "timeout") - now, 0);
}

/**
 * Does what waits for a run, under a signal that is aborted when the options say so; without options under none. Timer and
 * listeners are gone when it has settled.
 */
export async function withinOptions<T>(
  runId: string,
  { timeout, signal }: ResultOptions,
  clock: Clock,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (timeout === undefined && signal === undefined) return await work(undefined);
  signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  let cancelTimer: (() => void) | undefined;
  if (timeout !== undefined) {
    const now = clock.now();
    const length = lengthOf(timeout, now);
    const error = new WorkflowRunNotCompletedError(runId, length);
    cancelTimer = clock.setTimer(now + length, () => controller.abort(error));
  }
  try {
    return await work(controller.signal);
  } finally {
    cancelTimer?.();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** What the promise gives, or the signal's reason as soon as it is aborted. Leaves no listener behind. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal === undefined ? promise : raced(promise, signal);
}

async function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}
