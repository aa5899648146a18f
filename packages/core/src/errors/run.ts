/**
 * Errors of runs: what `run.returnValue`, `getRun` and `start` answer when there is no result to give.
 */
import { defineKind, isKind, WorkflowError } from "./base.ts";
import { shown } from "./thrown.ts";

/** What kind of failure ended a run. */
export type RunErrorCode = "USER_ERROR" | "RUNTIME_ERROR" | "REPLAY_DIVERGENCE" | "CORRUPTED_EVENT_LOG";

/** The run failed; `cause` is what ended it. */
export class WorkflowRunFailedError extends WorkflowError {
  readonly runId: string;
  /** `USER_ERROR` for what code of the workflow or a step threw; else what the runtime could not do. */
  readonly errorCode: RunErrorCode;
  /** What was thrown, as it was thrown: any value. */
  declare readonly cause: unknown;

  /** @param workflowName named in the message, if it is known */
  constructor(runId: string, cause: unknown, workflowName?: string) {
    const of = workflowName === undefined ? "" : ` of "${workflowName}"`;
    const said =
      cause instanceof Error ? `${cause.message}${origin(cause)}` : `The workflow threw ${shown(cause)}`;
    super(`Workflow run "${runId}"${of} failed: ${said}`, { cause });
    this.runId = runId;
    this.errorCode = errorCodeOf(cause);
  }

  static override is(value: unknown): value is WorkflowRunFailedError {
    return isKind(value, "RUN_FAILED");
  }
}
defineKind(WorkflowRunFailedError, "RUN_FAILED");

/** The run was cancelled, so it has no return value. */
export class WorkflowRunCancelledError extends WorkflowError {
  readonly runId: string;
  /** What was given to `run.cancel({ reason })`. */
  readonly reason: string | undefined;

  constructor(runId: string, reason?: string) {
    super(`Workflow run "${runId}" was cancelled${reason === undefined ? "" : `: ${reason}`}`);
    this.runId = runId;
    this.reason = reason;
  }

  static override is(value: unknown): value is WorkflowRunCancelledError {
    return isKind(value, "RUN_CANCELLED");
  }
}
defineKind(WorkflowRunCancelledError, "RUN_CANCELLED");

/** The run had not ended when the time was over that `run.result({ timeout })` gave it. The run goes on. */
export class WorkflowRunNotCompletedError extends WorkflowError {
  readonly runId: string;
  /** How long it was waited for, in milliseconds. */
  readonly timeout: number;

  constructor(runId: string, timeout: number) {
    super(
      `Workflow run "${runId}" has not ended after ${timeout} ms. It goes on: call result() again to wait longer, or cancel() ` +
        "to end it.",
    );
    this.runId = runId;
    this.timeout = timeout;
  }

  static override is(value: unknown): value is WorkflowRunNotCompletedError {
    return isKind(value, "RUN_NOT_COMPLETED");
  }
}
defineKind(WorkflowRunNotCompletedError, "RUN_NOT_COMPLETED");

/** No run has this id in this World. */
export class WorkflowRunNotFoundError extends WorkflowError {
  readonly runId: string;

  constructor(runId: string) {
    super(
      `Workflow run "${runId}" was not found. Check the id, and that this process uses the World it was started in.`,
    );
    this.runId = runId;
  }

  static override is(value: unknown): value is WorkflowRunNotFoundError {
    return isKind(value, "RUN_NOT_FOUND");
  }
}
defineKind(WorkflowRunNotFoundError, "RUN_NOT_FOUND");

function errorCodeOf(cause: unknown): RunErrorCode {
  if (isKind(cause, "REPLAY_DIVERGENCE")) return "REPLAY_DIVERGENCE";
  if (isKind(cause, "RUN_DAMAGED")) return "CORRUPTED_EVENT_LOG";
  return isKind(cause, "RUNTIME_ERROR") && !isKind(cause, "WORKFLOW_NOT_REGISTERED")
    ? "RUNTIME_ERROR"
    : "USER_ERROR";
}

/** `(step "createCharge", attempt 4)` if the engine noted on the error where it comes from, and the message does not say so. */
function origin(error: Error): string {
  const { stepName, attempt } = error as { stepName?: unknown; attempt?: unknown };
  if (typeof stepName !== "string" || error.message.includes(`"${stepName}"`)) return "";
  return ` (step "${stepName}"${typeof attempt === "number" ? `, attempt ${attempt}` : ""})`;
}
