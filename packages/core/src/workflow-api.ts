import { currentContext, currentExecution } from "./context.ts";
import type { Duration } from "./duration.ts";
import { ContextError } from "./errors/index.ts";
import type { Hook, HookOptions } from "./interpreter/hook.ts";
import { createHookIn } from "./interpreter/kinds/hook.ts";
import { sleepIn } from "./interpreter/kinds/wait.ts";
import type { StepMetadata, WorkflowMetadata } from "./metadata.ts";

/** What workflow functions and steps call. */

/**
 * Waits durably: the run uses no memory and no timer while it sleeps, and wakes up in whatever process is there.
 *
 * @param duration milliseconds, a text such as `"3 days"`, or the time at which to go on
 * @throws {ContextError} outside a workflow, {@link DurationError} for something that is no duration
 */
export function sleep(duration: Duration): Promise<void> {
  return sleepIn(currentExecution("sleep()"), duration);
}

/**
 * Creates a hook: a promise of this run that others resolve with `resumeHook(token, payload)`, any number of times.
 *
 * @throws {ContextError} outside a workflow, {@link SerializationError} for metadata that cannot be stored
 * @example
 * ```ts
 * using approval = createHook<{ ok: boolean }>({ token: `approval:${orderId}` });
 * const { ok } = await approval;
 * ```
 */
export function createHook<T = unknown>(options: HookOptions = {}): Hook<T> {
  const { token } = options;
  if (token !== undefined && (typeof token !== "string" || token === "" || token.length > 255)) {
    throw new TypeError(
      `createHook({ token }): must be a string of 1 to 255 characters, got ${String(token)}.`,
    );
  }
  return createHookIn<T>(currentExecution("createHook()"), options);
}

/**
 * The step that is being executed: `stepId` is the idempotency key for whatever it calls.
 *
 * @throws {ContextError} outside a step
 */
export function getStepMetadata(): StepMetadata {
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError("getStepMetadata()", "a step");
  return context.step;
}

/**
 * The run that is being executed; in workflows and in their steps.
 *
 * @throws {ContextError} anywhere else
 */
export function getWorkflowMetadata(): WorkflowMetadata {
  const context = currentContext();
  if (context === undefined) throw new ContextError("getWorkflowMetadata()", "a workflow or a step");
  return context.kind === "step" ? context.workflow : context.execution.metadata;
}
