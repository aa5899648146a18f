import { currentContext } from "../context.ts";
import { checkHeaders } from "../interpreter/kinds/headers.ts";
import type { Logger } from "../logger.ts";
import type { RunHeaders, StartCall, StartOutcome } from "./interceptor.ts";
import { hooks, told } from "./registry.ts";

/** Starts, with the interceptors' word before and after them. */

/** Who starts which run. */
export interface Starting extends Pick<StartCall, "runId" | "workflowName"> {
  /** The run for which a worker carries it out; `null` for whoever is calling. */
  readonly callerRunId: string | null;
  readonly logger: Logger;
}

const NONE: RunHeaders = {};

/** Starts a run with the headers that the interceptors give it. */
export function intercepted<T>(
  starting: Starting,
  start: (headers: RunHeaders) => Promise<T>,
  outcomeOf: (result: T) => StartOutcome,
): Promise<T> {
  return hooks.onStart.length === 0 ? start(NONE) : withHooks(starting, start, outcomeOf);
}

async function withHooks<T>(
  { logger, runId, workflowName, callerRunId }: Starting,
  start: (headers: RunHeaders) => Promise<T>,
  outcomeOf: (result: T) => StartOutcome,
): Promise<T> {
  const headers: Record<string, string> = {};
  const context = currentContext();
  const here = context?.kind === "step" ? context.workflow.workflowRunId : null;
  const call: StartCall = { runId, workflowName, callerRunId: callerRunId ?? here, headers };
  const after = hooks.onStart.map((hook) => told("onStart", logger, () => hook(call)));
  const tell = (outcome: StartOutcome): void => {
    for (const hook of after.reverse()) {
      if (typeof hook === "function") told("onStart", logger, () => hook(outcome));
    }
  };
  try {
    const result = await start(told("onStart", logger, () => checkHeaders(headers)) ?? NONE);
    tell(outcomeOf(result));
    return result;
  } catch (error) {
    tell({ type: "failed", error });
    throw error;
  }
}
