import { Run } from "./api/run.ts";
import type { RunAccess } from "./api/run-access.ts";
import { ONE_WORLD, type StartOptions, startRequest } from "./api/start-request.ts";
import { endOfLine, lengthOf, unlessAborted } from "./api/waiting.ts";
import type { RunEnding } from "./engine/commits/completions.ts";
import type { RunView } from "./engine/system-steps/read-run.ts";
import type { SendMessageInput } from "./engine/system-steps/send-message.ts";
import type { StartRunInput } from "./engine/system-steps/start-run.ts";
import type { StopSleepResult, WakeUpInput } from "./engine/system-steps/wake-up.ts";
import {
  NonDeterminismError,
  WorkflowRunNotCompletedError,
  WorkflowRunNotFoundError,
  WorkflowRuntimeError,
} from "./errors/index.ts";
import { childRunId } from "./ids.ts";
import type { Execution } from "./interpreter/execution.ts";
import { ON_PARENT_END, PARENT } from "./interpreter/kinds/attributes.ts";
import { cancelledAgain, TERMINATE } from "./interpreter/kinds/cancel.ts";
import { childrenOf } from "./interpreter/kinds/children.ts";
import { callSystemStep } from "./interpreter/kinds/system-step.ts";
import { sleepIn } from "./interpreter/kinds/wait.ts";
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
  if (options.tx !== undefined) {
    throw new TypeError(
      "start({ tx }): a workflow has no transactions, for it is replayed. Call it in a step.",
    );
  }
  if (options.world !== undefined) throw new TypeError(`start({ world }): ${ONE_WORLD}`);
  storable(asked.args, "args", execution.largestValue);
  const { onParentEnd } = options;
  if (onParentEnd === "cancel") childrenOf(execution).tied = true;
  const attributes = {
    ...asked.attributes,
    ...(onParentEnd !== undefined && { [ON_PARENT_END]: onParentEnd }),
  };
  const now = execution.now();
  const runId = await callSystemStep<string>(
    execution,
    "start_run",
    (id, parent): StartRunInput => ({
      run: {
        ...asked,
        runId: childRunId(id, now),
        attributes: { ...attributes, [PARENT]: parent },
        key: keyAt(now),
      },
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

  async function watch(runId: string): Promise<RunEnding> {
    if (runId === execution.runId) {
      throw new WorkflowRuntimeError(`Workflow run "${runId}" waits for its own end, which never comes.`);
    }
    return await callSystemStep<RunEnding>(execution, "watch_run", () => runId);
  }

  function successor(runId: string): Promise<string | null> {
    return callSystemStep<string | null>(execution, "find_successor", () => runId);
  }

  return {
    streams: null,
    getRecord: (runId) => callSystemStep<RunView | null>(execution, "read_run", () => runId),
    async ended(runId, { timeout, signal, follow }) {
      signal?.throwIfAborted();
      const cancelled = cancelledAgain(execution);
      if (cancelled !== null) return await cancelled;
      const ended = follow === true ? endOfLine(runId, watch, successor) : watch(runId);
      if (timeout === undefined) return await unlessAborted(ended, signal);
      const error = new WorkflowRunNotCompletedError(runId, lengthOf(timeout, execution.now()));
      const tooLate = sleepIn(execution, timeout).then(() => Promise.reject(error));
      return await unlessAborted(Promise.race([ended, tooLate]), signal);
    },
    async cancel(runId, reason, mode) {
      await send(runId, mode === "terminate" ? TERMINATE : "cancel_requested", encode(reason, "reason"));
    },
    async wakeUp(runId, ids) {
      const input: WakeUpInput = { runId, ids };
      return await callSystemStep<StopSleepResult>(execution, "wake_up", () => input);
    },
    async state() {
      throw new NonDeterminismError("run.getState()", execution.describe, "Call it in a step.");
    },
    async ask(what) {
      throw new NonDeterminismError(what, execution.describe, "Call it in a step.");
    },
    async retry(runId) {
      const outcome = await send(runId, "wake", null);
      if (outcome !== "finished") return runId;
      throw new WorkflowRuntimeError(
        `Workflow run "${runId}" has ended. A workflow goes on with diverged runs only: retry a failed one in a step.`,
      );
    },
    async fork() {
      throw new NonDeterminismError("run.fork()", execution.describe, "Call it in a step.");
    },
  };
}
