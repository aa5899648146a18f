import { currentContext } from "../context.ts";
import { inWords } from "../serialization/index.ts";

/**
 * Promises that a workflow made and does not await, such as those of a helper function beside it when the run is cancelled.
 * Their rejections end nobody's process: in a fleet, the next worker would take the run over and end in the same way. All
 * others stay what they are in a program without workers.
 */

let installed = 0;

/** Handles rejections until the returned function is called. */
export function catchStrayRejections(): () => void {
  if (installed++ === 0) process.on("unhandledRejection", onUnhandled);
  let done = false;
  return () => {
    if (done) return;
    done = true;
    if (--installed === 0) process.off("unhandledRejection", onUnhandled);
  };
}

/** Called in the async context of the promise. */
function onUnhandled(reason: unknown): void {
  const context = currentContext();
  if (context?.kind === "workflow") context.execution.stray(reason);
  // Our listener is what keeps Node from doing this.
  else if (process.listenerCount("unhandledRejection") === 1 && endsProcess()) throw uncaught(reason);
}

/** Whether Node ends the process when nobody listens. */
function endsProcess(): boolean {
  const flags = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)].join(" ");
  const mode = /--unhandled-rejections[= ](\S+)/.exec(flags)?.[1];
  return mode === undefined || mode === "throw";
}

/** What Node makes an uncaught exception of. */
function uncaught(reason: unknown): unknown {
  if (reason instanceof Error) return reason;
  const error = new Error(`A promise was rejected and nobody handled it. Its reason: ${inWords(reason)}`);
  return Object.assign(error, { code: "ERR_UNHANDLED_REJECTION" });
}
