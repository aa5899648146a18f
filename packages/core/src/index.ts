/** `perdure`: what workflow files import. */

export type { ExponentialBackoff, Length, RetryDefaults, StepOptions } from "./define/retry-policy.ts";
export { type StepFunction, step } from "./define/step.ts";
export { workflow } from "./define/workflow.ts";
export type { Duration } from "./duration.ts";
export { FatalError, RetryableError, type RetryableErrorOptions } from "./errors/index.ts";
export type { Hook, HookOptions } from "./interpreter/hook.ts";
export type { StepMetadata, WorkflowFeatures, WorkflowMetadata } from "./metadata.ts";
export { type Once, type OnceOptions, once } from "./once.ts";
export { registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "./serialization/index.ts";
export {
  continueAsNew,
  createHook,
  getStepMetadata,
  getWorkflowMetadata,
  setAttributes,
  setState,
  shield,
  sleep,
} from "./workflow-api.ts";
