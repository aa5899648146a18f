/**
 * `perdure/errors`: every error class, with stable codes. The names of the Workflow SDK's errors are kept.
 */
export { WorkflowError, type WorkflowErrorOptions } from "./base.ts";
export type { ErrorCode } from "./codes.ts";
export { EncryptionError, type EncryptionObstacle } from "./encryption.ts";
export { HookConflictError, HookNotFoundError, HookPayloadError, type PayloadIssue } from "./hook.ts";
export { IdempotencyConflictError, IdempotencyMismatchError } from "./idempotency.ts";
export { ContextError, NonDeterminismError, SerializationError } from "./input.ts";
export { DeadlockError, type DeadlockMember, LockTimeoutError } from "./lock.ts";
export {
  type RunErrorCode,
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRunNotCompletedError,
  WorkflowRunNotFoundError,
} from "./run.ts";
export {
  DamagedRunError,
  type Divergence,
  LeaseLostError,
  type Poison,
  PoisonedRunError,
  ReplayDivergenceError,
  WorkflowNotRegisteredError,
  WorkflowRuntimeError,
  WorldError,
  type WorldErrorOptions,
} from "./runtime.ts";
export {
  FatalError,
  RetryableError,
  type RetryableErrorOptions,
  retryAt,
  StaleAttemptError,
  type StepFacts,
  StepInterruptedError,
  StepOutcomeUnknownError,
  StepTimeoutError,
} from "./step.ts";
export {
  EntityConflictError,
  PreconditionFailedError,
  type PreconditionFailedErrorOptions,
  RunExpiredError,
  RunNotSupportedError,
  StepNotRegisteredError,
  StreamError,
  ThrottleError,
  TooEarlyError,
  WorkflowWorldError,
  type WorkflowWorldErrorOptions,
} from "./stores.ts";
