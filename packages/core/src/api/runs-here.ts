import { currentContext } from "../context.ts";
import { runsOf } from "../workflow-runs.ts";
import { findRunsBy, type RunAccess } from "./run.ts";
import { clientOf, defaultClient } from "./runtime.ts";

/** What runs are asked by, for the code that is calling: a workflow by system steps, a step in the World of its run. */
export function runsHere(): RunAccess {
  const context = currentContext();
  if (context?.kind === "workflow") return runsOf(context.execution);
  return context?.kind === "step" ? clientOf(context.world) : defaultClient();
}

findRunsBy(runsHere);
