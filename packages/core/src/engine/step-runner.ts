import type { Clock } from "../clock.ts";
import type { Context, WorkflowMetadata } from "../context.ts";
import { lengthMs } from "../define/retry-policy.ts";
import { FatalError, StepTimeoutError } from "../errors/index.ts";
import type { PendingStep } from "../interpreter/pending.ts";
import type { RetryRecord } from "../interpreter/replay.ts";
import { decode, encode, storable } from "../serialization/index.ts";
import { sharedState } from "../shared-state.ts";
import { stepFacts } from "./step-outcome.ts";

/** Executing step bodies: context, abort signal, timeout, and a limit on how many run at once. */

/** How one attempt ended. */
export type AttemptResult =
  | {
      readonly type: "completed";
      readonly value: Uint8Array | null;
      /** What the workflow gets: a copy, read back from `value`. */
      readonly decoded: unknown;
    }
  | { readonly type: "failed"; readonly error: unknown; readonly reason: RetryRecord["reason"] };

/** One attempt that is under way or queued. */
export interface Attempt {
  readonly step: PendingStep;
  readonly attempt: number;
  /** The body was called. */
  readonly started: boolean;
  /** Aborts the body's signal; its result no longer counts. */
  abort(reason: unknown): void;
}

/** What a {@link StepRunner} asks and tells about an attempt. Nothing any more once it is aborted. */
export interface AttemptListener {
  /** Whether the body may begin, after the attempt has waited for its place. */
  mayBegin(): boolean;
  /** It may not: the attempt is over without having begun. */
  onPostponed(): void;
  /** Called once, unless it was postponed. */
  onEnd(result: AttemptResult): void;
}

/** What an attempt has from the execution that asked for it. */
export interface StepOwner {
  readonly metadata: WorkflowMetadata;
  readonly largestValue: number;
}

export class StepRunner {
  readonly #clock: Clock;
  readonly #concurrency: number;
  #queue: (() => void)[] = [];
  #queueHead = 0;
  #running = 0;

  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
  }

  /** Attempts that wait for a place. */
  get queued(): number {
    return this.#queue.length - this.#queueHead;
  }

  /** Starts an attempt as soon as there is a place. */
  start(step: PendingStep, execution: StepOwner, listener: AttemptListener): Attempt {
    const controller = new AbortController();
    let over = false;
    let started = false;
    let cancelTimeout: (() => void) | undefined;
    const end = (result: AttemptResult): void => {
      if (over) return;
      over = true;
      cancelTimeout?.();
      listener.onEnd(result);
    };
    const attempt = step.attempt;
    const body = (): void => {
      if (over) return;
      started = true;
      this.#running++;
      let refused: AttemptResult | undefined;
      try {
        cancelTimeout = this.#limit(step, (error) => {
          controller.abort(error);
          end({ type: "failed", error, reason: "timeout" });
        });
      } catch (error) {
        // A timeout that is no length, set as a property of the step.
        refused = { type: "failed", error, reason: "error" };
      }
      const ending =
        refused === undefined
          ? this.#execute(step, attempt, execution, controller.signal)
          : Promise.resolve(refused);
      ending.then((result) => {
        this.#running--;
        end(result);
        this.#startQueued();
      });
    };
    const afterQueue = (): void => {
      if (over || listener.mayBegin()) {
        body();
        return;
      }
      over = true;
      listener.onPostponed();
    };
    if (this.#running < this.#concurrency) body();
    else this.#queue.push(afterQueue);
    return {
      step,
      attempt,
      get started() {
        return started;
      },
      abort(reason) {
        over = true;
        cancelTimeout?.();
        controller.abort(reason);
      },
    };
  }

  /** Sets the timer of an attempt's timeout, if it has one; returns what cancels it. */
  #limit(step: PendingStep, onTimeout: (error: StepTimeoutError) => void): (() => void) | undefined {
    const { timeout } = step.definition.options;
    if (timeout === undefined) return undefined;
    const ms = lengthMs(timeout);
    const onTime = (): void => onTimeout(new StepTimeoutError(stepFacts(step), ms));
    return this.#clock.setTimer(this.#clock.now() + ms, onTime);
  }

  async #execute(
    step: PendingStep,
    attempt: number,
    { metadata, largestValue }: StepOwner,
    signal: AbortSignal,
  ): Promise<AttemptResult> {
    const context: Context = {
      kind: "step",
      workflow: metadata,
      step: {
        stepName: step.definition.id,
        stepId: step.id,
        attempt,
        stepStartedAt: new Date(this.#clock.now()),
        signal,
      },
    };
    try {
      const args = decode(step.args) as unknown[];
      const value = await sharedState().contexts.run(context, () =>
        step.definition.fn.apply(step.thisArg, args),
      );
      const encoded = storableResult(value, largestValue);
      // A result that cannot be read back fails here, where it can still be tried again, and not in the workflow.
      return { type: "completed", value: encoded, decoded: decode(encoded) };
    } catch (error) {
      return { type: "failed", error, reason: "error" };
    }
  }

  #startQueued(): void {
    while (this.#running < this.#concurrency && this.#queueHead < this.#queue.length) {
      const body = this.#queue[this.#queueHead++] as () => void;
      if (this.#queueHead > 1024 && this.#queueHead * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#queueHead);
        this.#queueHead = 0;
      }
      body();
    }
  }
}

/** The body did its work, and would only do it again: a result that cannot be stored fails the step at once. */
function storableResult(result: unknown, largest: number): Uint8Array | null {
  try {
    return storable(encode(result, "result"), "result", largest);
  } catch (cause) {
    throw new FatalError(`The step has done its work, but its ${(cause as Error).message}`, { cause });
  }
}
