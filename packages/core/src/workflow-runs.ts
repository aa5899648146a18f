import { Run } from "./api/run.ts";
import type { RunAccess } from "./api/run-access.ts";
import { ONE_WORLD, type StartOptions, type StartRequest, startRequest } from "./api/start-request.ts";
import { endOfLine, lengthOf, unlessAborted } from "./api/waiting.ts";
import type { RunEnding } from "./engine/commits/completions.ts";
import type { RunView } from "./engine/system-steps/read-run.ts";
import type { SendMessageInput } from "./engine/system-steps/send-message.ts";
import type { StartedRun, StartRunInput } from "./engine/system-steps/start-run.ts";
import type { StopSleepResult, WakeUpInput } from "./engine/system-steps/wake-up.ts";
import {
  NonDeterminismError,
  WorkflowRunNotCompletedError,
  WorkflowRunNotFoundError,
  WorkflowRuntimeError,
} from "./errors/index.ts";
import { childRunId } from "./ids.ts";
import type { Execution } from "./interpreter/execution.ts";
import { CALLER, ON_PARENT_END } from "./interpreter/kinds/attributes.ts";
import { cancelledAgain, TERMINATE } from "./interpreter/kinds/cancel.ts";
import { childrenOf } from "./interpreter/kinds/children.ts";
import { callSystemStep } from "./interpreter/kinds/system-step.ts";
import { sleepIn } from "./interpreter/kinds/wait.ts";
import type { NewRun } from "./interpreter/new-run.ts";
import { PARENT } from "./parent.ts";
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
  const request = startRequest(fn, args, options);
  if (options.tx !== undefined) {
    throw new TypeError(
      "start({ tx }): a workflow has no transactions, for it is replayed. Call it in a step.",
    );
  }
  if (options.world !== undefined) throw new TypeError(`start({ world }): ${ONE_WORLD}`);
  const { onParentEnd } = options;
  if (onParentEnd === "cancel") childrenOf(execution).tied = true;
  const attributes = {
    ...request.attributes,
    ...(onParentEnd !== undefined && { [ON_PARENT_END]: onParentEnd }),
  };
  return new Run<T>(runsOf(execution), await startFrom(execution, "start_run", { ...request, attributes }));
}

/** Has the step executed once for the key; the run that does it. */
export async function onceInWorkflow<T>(execution: Execution, request: StartRequest): Promise<Run<T>> {
  return new Run<T>(runsOf(execution), await startFrom(execution, "run_once", request));
}

/** The attribute by which a run knows who has started it, for each way to do that. */
const STARTED_BY = { start_run: PARENT, run_once: CALLER } as const;

/** Starts a run by a system step, again each time that one which had its key has ended. */
async function startFrom(
  execution: Execution,
  step: keyof typeof STARTED_BY,
  { keyAt, terms, ...asked }: StartRequest,
): Promise<string> {
  storable(asked.args, "args", execution.largestValue);
  const now = execution.now();
  let run: NewRun | undefined;
  for (;;) {
    const started = await callSystemStep<StartedRun>(execution, step, (id, self): StartRunInput => {
      const attributes = { ...asked.attributes, [STARTED_BY[step]]: self };
      run ??= { ...asked, runId: childRunId(id, now), attributes, key: keyAt(now) };
      return { run, ...terms };
    });
    if (typeof started === "string") return started;
    await callSystemStep(execution, "watch_run", () => started.awaits).catch(unlessGone);
  }
}

/** A run that was deleted is as good as ended. */
function unlessGone(error: unknown): void {
  if (!WorkflowRunNotFoundError.is(error)) throw error;
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
    async releaseKey() {
      throw new NonDeterminismError("run.releaseKey()", execution.describe, "Call it in a step.");
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
