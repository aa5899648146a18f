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

/** The last of the runs that go on for one which has failed, or the one itself. */
export async function goOnFor(
  runId: string,
  again: Again | null,
  callerRunId: string,
  store: StoreCalls,
): Promise<string> {
  if (again === null) return runId;
  const { getNames, getRun, createRun: create, logger, now } = store;
  let last = runId;
  // Once only: if that one fails too, its caller does.
  let isMade = false;
  for (;;) {
    const [held] = await getNames([successorName(last)], now());
    if (!held) break;
    last = held.runId;
    if (last === again.runId) isMade = true;
  }
  const run = isMade ? null : await getRun(last);
  if (run?.status !== "failed" || !again.isMade(run)) return last;
  return await intercepted(
    { runId: again.runId, workflowName: run.workflow, callerRunId, logger },
    (headers) => retryRun(run, again.keys, { world: store, runId: again.runId, now: now(), headers, create }),
    (made) => ({ type: made === again.runId ? "created" : "found", runId: made }),
  );
}
