import { Run, type RunAccess } from "./api/run.ts";
import { type StartOptions, startRequest } from "./api/start-request.ts";
import type { RunEnding } from "./engine/commits/completions.ts";
import type { RunView } from "./engine/system-steps/read-run.ts";
import type { SendMessageInput } from "./engine/system-steps/send-message.ts";
import type { StartRunInput } from "./engine/system-steps/start-run.ts";
import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "./errors/index.ts";
import { childRunId } from "./ids.ts";
import type { Execution } from "./interpreter/execution.ts";
import { cancelledAgain, TERMINATE } from "./interpreter/kinds/cancel.ts";
import { childrenOf } from "./interpreter/kinds/children.ts";
import { callSystemStep } from "./interpreter/kinds/system-step.ts";
import { encode, storable } from "./serialization/index.ts";
import type { DeliverResult } from "./world/index.ts";

/** Runs as a workflow sees them: it starts, awaits and cancels them by system steps, so that a replay sees the same. */

/** Starts a child of the run. */
export async function startInWorkflow<T>(
  execution: Execution,
  fn: unknown,
  args: unknown[],
  options: StartOptions,
): Promise<Run<T>> {
  const { keyAt, onConflict, ...asked } = startRequest(fn, args, options);
  storable(asked.args, "args", execution.largestValue);
  const { onParentEnd } = options;
  if (onParentEnd === "cancel") childrenOf(execution).tied = true;
  const attributes = {
    ...asked.attributes,
    $parent: execution.runId,
    ...(onParentEnd !== undefined && { $onParentEnd: onParentEnd }),
  };
  const now = execution.now();
  const runId = await callSystemStep<string>(
    execution,
    "start_run",
    (id): StartRunInput => ({
      run: { ...asked, runId: childRunId(id, now), attributes, key: keyAt(now) },
      onConflict,
    }),
  );
  return new Run<T>(runsOf(execution), runId);
}

/** What a {@link Run} in a workflow asks. */
export function runsOf(execution: Execution): RunAccess {
  async function send(
    runId: string,
    type: string,
    data: Uint8Array | null,
  ): Promise<DeliverResult["outcome"]> {
    const input: SendMessageInput = { to: { runId }, type, data };
    const { outcome } = await callSystemStep<DeliverResult>(execution, "send_message", () => input);
    if (outcome === "no_such_run") throw new WorkflowRunNotFoundError(runId);
    return outcome;
  }

  return {
    getRecord: (runId) => callSystemStep<RunView | null>(execution, "read_run", () => runId),
    async ended(runId) {
      if (runId === execution.runId) {
        throw new WorkflowRuntimeError(`Workflow run "${runId}" waits for its own end, which never comes.`);
      }
      return await (cancelledAgain(execution) ??
        callSystemStep<RunEnding>(execution, "watch_run", () => runId));
    },
    async cancel(runId, reason, mode) {
      await send(runId, mode === "terminate" ? TERMINATE : "cancel_requested", encode(reason, "reason"));
    },
    async retry(runId) {
      const outcome = await send(runId, "wake", null);
      if (outcome === "finished") {
        throw new WorkflowRuntimeError(`Workflow run "${runId}" has ended, so there is nothing to retry.`);
      }
    },
  };
}
