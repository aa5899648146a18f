import type { World } from "../world/index.ts";

/**
 * What a program may put around the work of its process: functions that hear of starts, executions, steps, ends and measurements.
 * The lifecycle hooks and `perdure/otel` are written on them.
 */

/** Texts that travel with a run from its start to every process that executes it, such as `traceparent`. */
export type RunHeaders = Readonly<Record<string, string>>;

/** A run that is being started. */
export interface StartCall {
  /** The id that the run has if it comes to be. */
  readonly runId: string;
  /** The workflow's id. */
  readonly workflowName: string;
  /** The run whose workflow or step asks for it; `null` for a program. */
  readonly callerRunId: string | null;
  /** What is written here travels with the run, if it comes to be. Texts; all together at most 16 KiB, else none of them travels. */
  readonly headers: Record<string, string>;
}

/** What became of a {@link StartCall}. */
export type StartOutcome =
  /** The run was made. */
  | { readonly type: "created"; readonly runId: string }
  /** Another run has the key: this one. Or an earlier attempt of the step has started it. */
  | { readonly type: "found"; readonly runId: string }
  /** The run comes with the commit of a transaction, or is asked for again when the one that has its key has ended. */
  | { readonly type: "pending" }
  | { readonly type: "failed"; readonly error: unknown };

/** A run in the memory of this process. */
export interface ExecutedRun {
  readonly runId: string;
  /** The workflow's id. */
  readonly workflowName: string;
  /** What {@link StartCall.headers} had. */
  readonly headers: RunHeaders;
}

/**
 * Why a worker does not execute a run any more: it has ended; it waits, or another worker goes on with it; it was parked because
 * its code does not follow its journal; or its lease was lost.
 */
export type ExecutionOutcome = "completed" | "failed" | "cancelled" | "parked" | "diverged" | "lost";

/** One attempt of a step. */
export interface StepCall extends ExecutedRun {
  /** The step function's id. */
  readonly stepName: string;
  /** The idempotency key. */
  readonly stepId: string;
  /** 1 for the first one. */
  readonly attempt: number;
}

/** A run that a worker of this process has ended. */
export interface RunEnd extends ExecutedRun {
  readonly world: World;
  readonly status: "completed" | "failed" | "cancelled";
  /** What the workflow threw, or the `WorkflowRunCancelledError`; `undefined` for a completed run. */
  readonly error: unknown;
}

/** How an attempt ended. `given_up`: by a cancel, the end of its run, a lost lease, or because the worker closes. */
export type AttemptOutcome = "completed" | "failed" | "timeout" | "given_up";

/** Something that the engine has measured. Lengths of time are in milliseconds. */
export type Measurement =
  /** An attempt of a step is over whose body was called. */
  | {
      readonly type: "step_attempt";
      readonly workflowName: string;
      readonly stepName: string;
      readonly outcome: AttemptOutcome;
      readonly duration: number;
    }
  /** A run was claimed, so long after it had become due. */
  | { readonly type: "claim"; readonly workflowName: string; readonly lag: number }
  /** The store has acknowledged a batch of commits, one of each of so many runs. Tries that it did not answer count in. */
  | { readonly type: "commit"; readonly runs: number; readonly duration: number }
  /** The journal of a run was read and replayed. */
  | {
      readonly type: "replay";
      readonly workflowName: string;
      readonly events: number;
      readonly duration: number;
    }
  /** A run was parked as `diverged`. */
  | { readonly type: "diverged"; readonly workflowName: string; readonly runId: string }
  /** A worker has found that another one may have a run that it held. */
  | { readonly type: "lease_lost"; readonly workflowName: string; readonly runId: string };

/**
 * Functions that the engine calls in the processes in which they are registered. None of them is part of a workflow: they are not
 * replayed, nothing of them is in the order of the journal, and they cannot change what a workflow does. What one throws, or rejects with, is
 * logged and otherwise ignored, but for {@link Interceptor.aroundStep}. Functions that are not there cost nothing.
 */
export interface Interceptor {
  /**
   * A run is about to be started, by `start()` in a program, a step or a workflow, by `resumeHook({ orStart })`, `retry()` or `fork()`.
   * Called in the async context of a caller that is a program or a step; for a workflow, by the worker that carries the start out, once
   * more if that is repeated after a crash. What it returns is called with what became of it.
   */
  onStart?(call: StartCall): ((outcome: StartOutcome) => void) | undefined;
  /**
   * A worker of this process executes a run from now on: begins it, or goes on with it. What it returns is called when it does so no
   * more. A run that waits for long is executed several times.
   */
  onExecute?(run: ExecutedRun): ((outcome: ExecutionOutcome) => void) | undefined;
  /**
   * Called in place of each attempt's body, in the context of the step; `next()` calls the body and may be called once. What it
   * returns is the result of the attempt, and what it throws is its error, retried as if the body had thrown it: so return what `next()`
   * gives, and throw what it throws. When the body has done its work, what it throws is logged, and the body's result counts.
   */
  aroundStep?(call: StepCall, next: () => Promise<unknown>): Promise<unknown>;
  /**
   * A run has ended that a worker of this process executed. Called when the end is durable, at most once for a run; a process that
   * dies in that moment calls it not at all.
   */
  onRunEnd?(end: RunEnd): unknown;
  /** The engine has measured something. Called often: nothing that takes long belongs here. */
  onMeasure?(measurement: Measurement): void;
}
