import { currentContext, refuseInWorkflow } from "../context.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import type { StreamAccess } from "./access.ts";

/** Who uses a stream of a run: it decides by what the stream is reached, and whether it may be. */

/** What reaches streams for the code that is calling; set by the API, which knows the process's World. */
let accessHere: () => StreamAccess = () => {
  throw new WorkflowRuntimeError("A stream of a run is used before perdure is loaded: import perdure/api.");
};

/** Says what reaches streams that came as values. */
export function findStreamsBy(find: () => StreamAccess): void {
  accessHere = find;
}

/** What reaches a stream for the calling code: the step that it is in, else what it came with, else the process. */
export function accessFor(own: StreamAccess | null): StreamAccess {
  return ofStep() ?? own ?? accessHere();
}

/** The access of the step that is calling, if one is. */
export function ofStep(): StreamAccess | null {
  const context = currentContext();
  return context?.kind === "step" ? context.streams : null;
}

/** Refuses to read or write in a workflow. */
export function refuseStreamInWorkflow(what: string): void {
  refuseInWorkflow(
    what,
    "Pass the stream to a step, and read or write there: workflow code only hands streams on.",
  );
}
