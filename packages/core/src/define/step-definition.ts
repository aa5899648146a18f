import type { AsyncFunction } from "./registry.ts";
import type { StepOptions } from "./retry-policy.ts";

/** What the engine needs to execute a step, read from the step function at each attempt. */
export interface StepDefinition {
  readonly id: string;
  /** The body. */
  readonly fn: AsyncFunction;
  /** The live options: users set them as properties at any time before the call. */
  readonly options: StepOptions;
}
