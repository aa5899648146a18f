/** `perdure`: what workflow files import. */

export type { WorkflowWritableStreamOptions } from "./api/stream-options.ts";
export type { ExponentialBackoff, Length, RetryDefaults, StepOptions } from "./define/retry-policy.ts";
export { type StepFunction, step } from "./define/step.ts";
export { workflow } from "./define/workflow.ts";
export type { Concurrency, Singleton, WorkflowOptions } from "./define/workflow-options.ts";
export { type DefinedHook, type DefineHookOptions, defineHook } from "./define-hook.ts";
export type { Duration } from "./duration.ts";
export { FatalError, RetryableError, type RetryableErrorOptions } from "./errors/index.ts";
export { fetch } from "./fetch.ts";
export type {
  Hook,
  HookOptions,
  RequestWithResponse,
  Webhook,
  WebhookOptions,
} from "./hooks.ts";
export type { VerifiedMessage, WebhookVerifier } from "./interpreter/webhook.ts";
export type { StepMetadata, WorkflowFeatures, WorkflowMetadata } from "./metadata.ts";
export { type Once, type OnceOptions, once } from "./once.ts";
export { registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "./serialization/index.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
export {
  continueAsNew,
  getStepMetadata,
  getWorkflowMetadata,
  getWritable,
  setAttributes,
  setState,
  shield,
  sleep,
} from "./workflow-api.ts";
export { createHook, createWebhook } from "./workflow-hooks.ts";
export { acquireLock, type Lock, type LockOptions } from "./workflow-locks.ts";
