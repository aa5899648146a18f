import { Run, type RunAccess } from "./api/run.ts";
import { type StartOptions, startRequest } from "./api/start-request.ts";
import type { RunEnding } from "./engine/commits/completions.ts";
import type { RunView } from "./engine/system-steps/read-run.ts";
import type { SendMessageInput } from "./engine/system-steps/send-message.ts";
import type { StartRunInput } from "./engine/system-steps/start-run.ts";
import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "./errors/index.ts";
import { childRunId } from "./ids.ts";
import { childrenOf } from "./interpreter/children.ts";
import type { Execution } from "./interpreter/execution.ts";
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
  const { workflow, input, key, freeFrom, onConflict, fingerprint } = startRequest(fn, args, options);
  storable(input, "args", execution.largestValue);
  const { onParentEnd = null } = options;
  const children = childrenOf(execution);
  if (onParentEnd === "cancel") children.tied = true;
  if (onParentEnd === null) children.sharing = true;
  const now = execution.now();
  const runId = await callSystemStep<string>(execution, "start_run", (id): StartRunInput => {
    const freeAt = freeFrom(now);
    return {
      runId: childRunId(id, now),
      workflow,
      args: input,
      attributes: { $parent: execution.runId },
      key: key === undefined ? null : { key, fingerprint: fingerprint ?? "", freeAt, onConflict },
      onParentEnd,
    };
  });
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
      return await callSystemStep<RunEnding>(execution, "watch_run", () => runId);
    },
    async cancel(runId, reason) {
      await send(runId, "cancel_requested", encode(reason, "reason"));
    },
    async retry(runId) {
      const outcome = await send(runId, "wake", null);
      if (outcome === "finished") {
        throw new WorkflowRuntimeError(`Workflow run "${runId}" has ended, so there is nothing to retry.`);
      }
    },
  };
}
