import { currentContext } from "../context.ts";
import { onEveryEnding, type RunEnding } from "../engine/commits/completions.ts";
import { NonDeterminismError, WorkflowRunFailedError } from "../errors/index.ts";
import { checkOptionNames } from "../option-names.ts";
import { outside } from "../outside.ts";
import type { World } from "../world/index.ts";
import { type Run, resultOf } from "./run.ts";
import { clientOf, loggerOf } from "./runtime.ts";

/** Functions that hear of the runs which a worker of this process has ended. The names are those of the Workflow SDK. */

/** What {@link WorkflowLifecycleHooks.onRunCompleted} gets. */
export interface RunCompletedHookParams {
  readonly run: Run;
  /** The workflow's id. */
  readonly workflowName: string;
}

/** What {@link WorkflowLifecycleHooks.onRunFailed} gets. */
export interface RunFailedHookParams extends RunCompletedHookParams {
  /** What `run.returnValue` rejects with: its `cause` is what the workflow threw. */
  readonly error: WorkflowRunFailedError;
}

/** What {@link registerLifecycleHooks} takes. */
export interface WorkflowLifecycleHooks {
  readonly onRunCompleted?: (params: RunCompletedHookParams) => unknown;
  readonly onRunFailed?: (params: RunFailedHookParams) => unknown;
}

/**
 * Has functions called when a run has ended that a worker of this process executed: for reports, from one place. They are called
 * after the end is durable, at most once for a run, in the order in which they were registered, and cannot change anything: what
 * they throw is logged. A process that dies in that moment calls none, so what must happen belongs into the workflow.
 *
 * @returns a function that takes them away again
 * @throws {NonDeterminismError} in a workflow
 * @example
 * ```ts
 * registerLifecycleHooks({
 *   onRunFailed: ({ run, workflowName, error }) => console.error(run.runId, workflowName, error.cause),
 * });
 * ```
 */
export function registerLifecycleHooks(hooks: WorkflowLifecycleHooks): () => void {
  const context = currentContext();
  if (context?.kind === "workflow") {
    throw new NonDeterminismError(
      "registerLifecycleHooks()",
      context.execution.describe,
      "Call it where the program starts.",
    );
  }
  checkOptionNames<WorkflowLifecycleHooks>("registerLifecycleHooks()", hooks, {
    onRunCompleted: true,
    onRunFailed: true,
  });
  const { onRunCompleted, onRunFailed } = hooks;
  return onEveryEnding((world, ending) => {
    const { runId, workflow: workflowName, status } = ending;
    const call = (name: string, hook: ((params: never) => unknown) | undefined, more: object): void => {
      if (hook === undefined) return;
      const params = { run: clientOf(world).getRun(runId), workflowName, ...more } as never;
      // Nobody waits for it, and what it keeps in the async context is its own.
      void outside(async () => await hook(params)).catch((error: unknown) => {
        loggerOf(world).warn(`${name} of registerLifecycleHooks() threw`, { runId, workflowName, error });
      });
    };
    if (status === "completed") call("onRunCompleted", onRunCompleted, {});
    if (status === "failed") call("onRunFailed", onRunFailed, { error: failureOf(world, ending) });
  });
}

function failureOf(world: World, ending: RunEnding): unknown {
  try {
    return resultOf(ending);
  } catch (error) {
    if (!WorkflowRunFailedError.is(error))
      loggerOf(world).warn("the error of a run cannot be read", { error });
    return error;
  }
}
