import { RELEASE_KEY } from "../../define/built-ins.ts";
import { refuseSealedText } from "../../encryption/sealed-bytes.ts";
import {
  HookConflictError,
  IdempotencyConflictError,
  IdempotencyMismatchError,
  WorkflowRunNotFoundError,
  WorkflowRuntimeError,
} from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { intercepted, type RunHeaders, type StartOutcome } from "../../interceptors/index.ts";
import { type ForkTerms, retryRun } from "../../interpreter/fork.ts";
import { createRunRequest, type NewRun } from "../../interpreter/new-run.ts";
import { REPLACED } from "../../interpreter/singleton.ts";
import { isCallName, singletonName } from "../../names.ts";
import { encode } from "../../serialization/index.ts";
import { type CreateRunResult, isTerminal } from "../../world/index.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";

/** Starts a run whose id is derived from the caller's: however often it is executed, there is one run. */

/** What a start does about the run that has its key. */
export interface StartTerms {
  /** It is given; or the start is refused; or it is cancelled, and the new run takes the key over when it has ended. */
  readonly onConflict: "return" | "reject" | "replace";
  /** One that has failed is gone on with. Absent: it is given as it is. */
  readonly failedRuns?: "retry";
}

/** What a workflow asks for when it starts a run. */
export interface StartRunInput extends StartTerms {
  readonly run: NewRun;
}

/** What came of a start. */
export interface Started {
  /**
   * Of the run that was created; or by the same call of an earlier attempt; of one that was there; or of one that has to end first:
   * then the start is asked for again.
   */
  readonly runId: string;
  readonly type: "created" | "again" | "found" | "awaits";
}

/** The result of the system step: the run's id, or the one that has to end first. */
export type StartedRun = string | { readonly awaits: string };

/** What a start does to the store. */
export interface StartCalls
  extends Pick<StoreCalls, "deliver" | "getRun" | "getNames" | "listEvents" | "logger" | "now"> {
  /** Creates the run, with a key that passes from the run `from` if that has ended; `null`: with a free one. */
  readonly create: (from: string | null, headers: RunHeaders) => Promise<CreateRunResult>;
  readonly createRun: ForkTerms["create"];
}

/**
 * Starts a run, or gives the one that has its key.
 *
 * @param caller the run that asks, if one does: it cannot replace itself
 * @throws {IdempotencyMismatchError} {@link IdempotencyConflictError} {@link HookConflictError}
 */
export async function startRunIn(
  input: StartRunInput,
  caller: string | null,
  calls: StartCalls,
): Promise<Started> {
  const { runId, workflow: workflowName } = input.run;
  const { logger } = calls;
  return await intercepted(
    { runId, workflowName, callerRunId: caller, logger },
    (headers) => tryToStart(input, caller, calls, headers),
    startOutcome,
  );
}

/** What the interceptors are told. */
function startOutcome({ type, runId }: Started): StartOutcome {
  if (type === "awaits") return { type: "pending" };
  return { type: type === "created" ? "created" : "found", runId };
}

async function tryToStart(
  { run, onConflict, failedRuns }: StartRunInput,
  caller: string | null,
  calls: StartCalls,
  headers: RunHeaders,
): Promise<Started> {
  for (let from: string | null = null; ; ) {
    const result = await calls.create(from, headers);
    if (result.outcome !== "held") return { type: "created", runId: run.runId };
    const { name, run: holder } = result;
    const found = { type: "found", runId: name.runId } as const;
    const awaits = { type: "awaits", runId: name.runId } as const;
    const { workflow, key, hookToken, singleton } = run;
    if (isCallName(name.name)) return { type: "again", runId: name.runId };
    if (singleton !== undefined && name.name === singletonName(workflow, singleton.key)) {
      if (singleton.mode === "skip") return found;
      await cancelFor(REPLACED, run.runId, name.runId, caller, calls);
      return awaits;
    }
    if (key === null || (hookToken !== null && name.name.startsWith("hook:"))) {
      throw new HookConflictError(hookToken ?? "", name.runId);
    }
    const ended = isTerminal(holder.status);
    if (holder.workflow === RELEASE_KEY && !ended) return awaits;
    if (onConflict !== "replace") {
      refuseSealedText(name.fingerprint);
      if (name.fingerprint !== key.fingerprint) {
        throw new IdempotencyMismatchError(workflow, key.key, name.runId);
      }
      if (holder.status === "failed" && failedRuns === "retry") {
        return { type: "found", runId: await goOn(name.runId, run.runId, calls, headers) };
      }
      if (onConflict === "return") return found;
      throw new IdempotencyConflictError(workflow, key.key, name.runId);
    }
    if (!ended) {
      await cancelFor(`replaced by run "${run.runId}"`, run.runId, name.runId, caller, calls);
      return awaits;
    }
    from = name.runId;
  }
}

/** The run that goes on for one that has failed: the new one, unless there is one. */
async function goOn(failed: string, runId: string, calls: StartCalls, headers: RunHeaders): Promise<string> {
  const old = await calls.getRun(failed);
  if (old === null) throw new WorkflowRunNotFoundError(failed);
  return await retryRun(old, "keep", {
    world: calls,
    runId,
    now: calls.now(),
    headers,
    create: calls.createRun,
  });
}

async function cancelFor(
  reason: string,
  runId: string,
  replaced: string,
  caller: string | null,
  { deliver, now }: StartCalls,
): Promise<void> {
  if (replaced === caller) {
    throw new WorkflowRuntimeError(
      `Workflow run "${replaced}" starts a run in place of itself and would wait for its own end. Use continueAsNew() to begin ` +
        "it anew, or start the next run from outside.",
    );
  }
  await deliver({
    messageId: derivedMessageId("replace", runId, replaced),
    to: { runId: replaced },
    type: "cancel_requested",
    at: now(),
    data: encode(reason, "reason"),
  });
}

/** Starts a run for another one, `caller`. With `callId` for a call in one of its steps. */
export async function executeStart(
  start: StartRunInput,
  caller: string,
  store: Omit<StartCalls, "create">,
  callId?: string,
): Promise<Started> {
  const create = (from: string | null, headers: RunHeaders): Promise<CreateRunResult> => {
    const beginning = {
      at: store.now(),
      lease: null,
      headers,
      mail: [],
      from,
      ...(callId !== undefined && { callId }),
    };
    return store.createRun(createRunRequest(start.run, beginning));
  };
  return await startRunIn(start, caller, { ...store, create });
}

/** As the journal has it. */
export function startedRun({ type, runId }: Started): StartedRun {
  return type === "awaits" ? { awaits: runId } : runId;
}

export const startRun: SystemStep = {
  owed: true,
  execute: async ({ runId, input }, store) => ({
    type: "completed",
    value: startedRun(await executeStart(input as StartRunInput, runId, store)),
  }),
};
