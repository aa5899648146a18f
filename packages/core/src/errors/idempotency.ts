/**
 * Errors of `start(…, { idempotencyKey })`. Both carry the run that has the key; the key itself is not printed with them.
 */
import { defineKind, isKind, keepPrivate, WorkflowError } from "./base.ts";

/** The key was used before to start the workflow with other arguments. */
export class IdempotencyMismatchError extends WorkflowError {
  /** The key; not enumerable. */
  declare readonly idempotencyKey: string;
  /** The run that the key started. */
  readonly runId: string;

  constructor(workflowName: string, idempotencyKey: string, runId: string) {
    super(
      `The idempotency key of this start of workflow "${workflowName}" has started run "${runId}" with ` +
        `other arguments. Use one key per set of arguments, or getRun("${runId}") for the run it started.`,
    );
    keepPrivate(this, "idempotencyKey", idempotencyKey);
    this.runId = runId;
  }

  static override is(value: unknown): value is IdempotencyMismatchError {
    return isKind(value, "IDEMPOTENCY_MISMATCH");
  }
}
defineKind(IdempotencyMismatchError, "IDEMPOTENCY_MISMATCH");

/** The key has started a run already, and `onConflict: "reject"` was asked for. */
export class IdempotencyConflictError extends WorkflowError {
  /** The key; not enumerable. */
  declare readonly idempotencyKey: string;
  /** The run that the key started. */
  readonly runId: string;

  constructor(workflowName: string, idempotencyKey: string, runId: string) {
    super(
      `The idempotency key of this start of workflow "${workflowName}" has started run "${runId}" ` +
        `already. Use getRun("${runId}"), or onConflict: "return" to get that run from start().`,
    );
    keepPrivate(this, "idempotencyKey", idempotencyKey);
    this.runId = runId;
  }

  static override is(value: unknown): value is IdempotencyConflictError {
    return isKind(value, "IDEMPOTENCY_CONFLICT");
  }
}
defineKind(IdempotencyConflictError, "IDEMPOTENCY_CONFLICT");
