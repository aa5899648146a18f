import { currentContext } from "../../context.ts";
import { yieldSignals } from "../shutdown-signals.ts";

/**
 * What the lease keeper's thread learns from a main thread that is blocked, and does to it. The thread evaluates
 * {@link ASK_BLOCKED} there by way of the inspector, which interrupts even an endless loop.
 */

const KEY = "perdure.blocked-thread/1";

/** The expression that the thread evaluates: a text that says who blocks, or `undefined` without a worker. */
export const ASK_BLOCKED: string = `globalThis[Symbol.for("${KEY}")]?.()`;

/** Lets the thread ask. */
export function answerWhenBlocked(): void {
  (globalThis as { [key: symbol]: unknown })[Symbol.for(KEY)] ??= () => {
    // Handlers in JavaScript cannot run now: the signals end the process as they would without us.
    yieldSignals();
    return `${blocking()}${place(new Error().stack)}`;
  };
}

// The interruption runs in the async context of the code that it interrupts.
function blocking(): string {
  const context = currentContext();
  switch (context?.kind) {
    case "step":
      return ` by step "${context.step.stepName}" of run ${context.workflow.workflowRunId}`;
    case "workflow":
      return ` by workflow "${context.execution.workflow}" of run ${context.execution.runId}`;
    case undefined:
      return "";
  }
}

/** The first frame of a file below the expression's own. */
function place(stack = ""): string {
  const frames = stack.split("\n");
  const evaluated = frames.findIndex((frame) => frame.includes("<anonymous>:"));
  const frame = frames
    .slice(evaluated + 1)
    .find((line) => /:\d+:\d+\)?$/.test(line) && !line.includes("node:"));
  const site = frame?.trim().replace(/^at (?:.*\((.*)\)|(.*))$/, "$1$2");
  return site === undefined ? "" : ` at ${site}`;
}
