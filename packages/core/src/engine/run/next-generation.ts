import type { Execution } from "../../interpreter/execution.ts";
import { carriedFrom } from "../../interpreter/kinds/index.ts";
import { runCreated } from "../../interpreter/kinds/run.ts";
import type { NewEvent } from "../../world/index.ts";

/** How the journal of a run that continues as new begins: its arguments, and what it has to know of what came before. */
export function nextGeneration(
  execution: Execution,
  args: Uint8Array | null,
  at: number,
): readonly NewEvent[] {
  const carried = carriedFrom(execution).map((event) => ({ ...event, at }));
  return [runCreated(execution.workflow, args, at), ...carried];
}
