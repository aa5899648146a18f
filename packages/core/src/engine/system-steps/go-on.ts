import { childRunId } from "../../ids.ts";
import { intercepted } from "../../interceptors/index.ts";
import type { Execution } from "../../interpreter/execution.ts";
import { retryRun } from "../../interpreter/fork.ts";
import { childrenOf, type RunAgain } from "../../interpreter/kinds/children.ts";
import { successorName } from "../../names.ts";
import { parentOf } from "../../parent.ts";
import type { RunRecord } from "../../world/index.ts";
import type { StoreCalls } from "./store-calls.ts";

/**
 * A run that failed with another one, which is retried: who awaits it there awaits the run that goes on for it. That is made here, if
 * nobody has.
 */

/** How it is gone on with. */
export interface Again extends Pick<RunAgain, "keys"> {
  /** The id of the run that is made for it. */
  readonly runId: string;
  /** Whether one is made for this run; else it has to be retried by whoever started it. */
  readonly isMade: (run: RunRecord) => boolean;
}

/** How a workflow goes on with a run that has failed; `null`: it does not. */
export function againIn(execution: Execution, runId: string): Again | null {
  const again = childrenOf(execution).again.get(runId);
  if (again === undefined) return null;
  const { keys, whoever, at } = again;
  return {
    keys,
    runId: childRunId(`${execution.runId}/${runId}`, at),
    isMade: (run) => whoever || execution.goesOnFor(parentOf(run) ?? ""),
  };
}

/** The last of the runs that go on for one which has failed, or the one itself; `isMade`: by this workflow, among them. */
export async function lastFor(
  runId: string,
  again: Again | null,
  { getNames, now }: Pick<StoreCalls, "getNames" | "now">,
): Promise<{ readonly runId: string; readonly isMade: boolean }> {
  let last = runId;
  let isMade = false;
  while (again !== null) {
    const [held] = await getNames([successorName(last)], now());
    if (!held) break;
    last = held.runId;
    if (last === again.runId) isMade = true;
  }
  return { runId: last, isMade };
}

/** The same; one that has failed is gone on with, once: if that fails too, its caller does. */
export async function goOnFor(
  runId: string,
  again: Again | null,
  callerRunId: string,
  store: StoreCalls,
): Promise<string> {
  const { getRun, createRun: create, logger, now } = store;
  const last = await lastFor(runId, again, store);
  if (again === null || last.isMade) return last.runId;
  const run = await getRun(last.runId);
  if (run?.status !== "failed" || !again.isMade(run)) return last.runId;
  return await intercepted(
    { runId: again.runId, workflowName: run.workflow, callerRunId, logger },
    (headers) => retryRun(run, again.keys, { world: store, runId: again.runId, now: now(), headers, create }),
    (made) => ({ type: made === again.runId ? "created" : "found", runId: made }),
  );
}
