/**
 * The registry of this package's errors: one line per class, with the `code` that never changes and whether the same
 * call may succeed later without the caller changing it. Logs, stored errors and `is()` go by the code.
 */

/** Every code, with the name of its class. */
export const ERROR_KINDS = {
  WORKFLOW_ERROR: { name: "WorkflowError", retryable: false },
  FATAL: { name: "FatalError", retryable: false },
  RETRYABLE: { name: "RetryableError", retryable: true },
  STEP_TIMEOUT: { name: "StepTimeoutError", retryable: true },
  STEP_OUTCOME_UNKNOWN: { name: "StepOutcomeUnknownError", retryable: false },
  STEP_INTERRUPTED: { name: "StepInterruptedError", retryable: true },
  STALE_ATTEMPT: { name: "StaleAttemptError", retryable: false },
  RUN_FAILED: { name: "WorkflowRunFailedError", retryable: false },
  RUN_CANCELLED: { name: "WorkflowRunCancelledError", retryable: false },
  RUN_NOT_COMPLETED: { name: "WorkflowRunNotCompletedError", retryable: true },
  RUN_NOT_FOUND: { name: "WorkflowRunNotFoundError", retryable: false },
  HOOK_NOT_FOUND: { name: "HookNotFoundError", retryable: false },
  HOOK_CONFLICT: { name: "HookConflictError", retryable: false },
  HOOK_PAYLOAD_INVALID: { name: "HookPayloadError", retryable: false },
  IDEMPOTENCY_MISMATCH: { name: "IdempotencyMismatchError", retryable: false },
  IDEMPOTENCY_CONFLICT: { name: "IdempotencyConflictError", retryable: false },
  LOCK_TIMEOUT: { name: "LockTimeoutError", retryable: true },
  DEADLOCK: { name: "DeadlockError", retryable: true },
  SERIALIZATION_FAILED: { name: "SerializationError", retryable: false },
  ENCRYPTION_FAILED: { name: "EncryptionError", retryable: false },
  WRONG_CONTEXT: { name: "ContextError", retryable: false },
  NON_DETERMINISM: { name: "NonDeterminismError", retryable: false },
  RUNTIME_ERROR: { name: "WorkflowRuntimeError", retryable: false },
  WORKFLOW_NOT_REGISTERED: { name: "WorkflowNotRegisteredError", retryable: true },
  REPLAY_DIVERGENCE: { name: "ReplayDivergenceError", retryable: true },
  RUN_DAMAGED: { name: "DamagedRunError", retryable: false },
  RUN_POISONED: { name: "PoisonedRunError", retryable: false },
  WORKFLOW_WORLD_ERROR: { name: "WorkflowWorldError", retryable: true },
  ENTITY_CONFLICT: { name: "EntityConflictError", retryable: false },
  PRECONDITION_FAILED: { name: "PreconditionFailedError", retryable: true },
  RUN_EXPIRED: { name: "RunExpiredError", retryable: false },
  THROTTLED: { name: "ThrottleError", retryable: true },
  TOO_EARLY: { name: "TooEarlyError", retryable: true },
  STREAM_ERROR: { name: "StreamError", retryable: true },
  RUN_NOT_SUPPORTED: { name: "RunNotSupportedError", retryable: true },
  STEP_NOT_REGISTERED: { name: "StepNotRegisteredError", retryable: true },
  WORLD_ERROR: { name: "WorldError", retryable: true },
  LEASE_LOST: { name: "LeaseLostError", retryable: false },
} as const;

/** The stable code of one of this package's error classes. */
export type ErrorCode = keyof typeof ERROR_KINDS;

/** Codes of errors that programs make, or that are never made here: their messages stay as they are given. */
const WORDED_BY_PROGRAMS: ReadonlySet<ErrorCode> = new Set([
  "WORKFLOW_ERROR",
  "FATAL",
  "RETRYABLE",
  "WORKFLOW_WORLD_ERROR",
  "ENTITY_CONFLICT",
  "PRECONDITION_FAILED",
  "RUN_EXPIRED",
  "THROTTLED",
  "TOO_EARLY",
  "STREAM_ERROR",
]);

/** The addresses of pages in a message that quotes others. */
const ADDRESSES = /\s\(perdure\/docs\/errors\/[A-Z_]+\.md\)/g;

/**
 * A message of ours, with the address of the page about its code at its end. The path is that of a file of the package `perdure`,
 * and of the repository.
 */
export function withAddress(message: string, code: ErrorCode): string {
  if (WORDED_BY_PROGRAMS.has(code)) return message;
  const own = message.replaceAll(ADDRESSES, "");
  return `${own}${own.includes("\n") ? "\n" : " "}(perdure/docs/errors/${code}.md)`;
}
