import { WorkflowRunCancelledError } from "../errors/index.ts";
import type { Logger } from "../logger.ts";
import { outside } from "../outside.ts";
import { decodeError } from "../serialization/index.ts";
import type { RunRecord, World } from "../world/index.ts";
import type { RunEnd, RunHeaders } from "./interceptor.ts";
import { hooks, told } from "./registry.ts";

/** Tells the interceptors of runs that have ended here. */

/** The part of a terminal row that is told. */
export type Ended = Pick<RunRecord, "runId" | "workflow" | "status" | "error">;

/** The end is durable. */
export function tellOfEnd(world: World, ended: Ended, headers: RunHeaders, logger: Logger): void {
  if (hooks.onRunEnd.length === 0) return;
  const { runId, workflow: workflowName, status } = ended;
  if (status !== "completed" && status !== "failed" && status !== "cancelled") return;
  const error = status === "completed" ? undefined : errorOf(ended);
  const end: RunEnd = { world, runId, workflowName, status, headers, error };
  // Nobody waits for it, and what it keeps in the async context is its own.
  for (const hook of hooks.onRunEnd) told("onRunEnd", logger, () => outside(() => hook(end)));
}

function errorOf({ runId, status, error: data }: Ended): unknown {
  let error: unknown;
  try {
    error = data === null ? undefined : decodeError(data);
  } catch (unreadable) {
    error = unreadable;
  }
  return status === "cancelled" && !WorkflowRunCancelledError.is(error)
    ? new WorkflowRunCancelledError(runId)
    : error;
}
