import { WorkflowRunFailedError } from "../errors/index.ts";
import { refuseHere, registerInterceptor } from "../interceptors/index.ts";
import { checkOptionNames } from "../option-names.ts";
import type { Run } from "./run.ts";
import { clientOf } from "./runtime.ts";

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
  refuseHere("registerLifecycleHooks()");
  checkOptionNames<WorkflowLifecycleHooks>("registerLifecycleHooks()", hooks, {
    onRunCompleted: true,
    onRunFailed: true,
  });
  const { onRunCompleted, onRunFailed } = hooks;
  return registerInterceptor({
    async onRunEnd({ world, runId, workflowName, status, error }) {
      const about = () => ({ run: clientOf(world).getRun(runId) as Run, workflowName });
      if (status === "completed") await onRunCompleted?.(about());
      if (status === "failed") {
        await onRunFailed?.({ ...about(), error: new WorkflowRunFailedError(runId, error, workflowName) });
      }
    },
  });
}
