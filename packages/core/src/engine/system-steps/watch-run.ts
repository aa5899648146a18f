import { WorkflowRunNotFoundError } from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { encode } from "../../serialization/index.ts";
import { isTerminal, type RunRecord } from "../../world/index.ts";
import type { RunEnding } from "../commits/completions.ts";
import type { SystemStep } from "./system-step.ts";

/**
 * Waits for another run's end: end mail to it says who waits, and its work after the end answers. A run that has ended is simply
 * read. Nothing is held meanwhile, and nobody is woken but the one who waits.
 */

/** The type of the end mail; its data is a {@link Watcher}. */
export const WATCH = "watch";

/** Who is told of an end. */
export interface Watcher {
  readonly runId: string;
  /** Of the system step that waits. */
  readonly id: string;
}

/** How a terminal run ended. */
export function endingOf({ runId, status, workflow, output, error }: RunRecord): RunEnding {
  return { runId, status, workflow, output, error };
}

export const watchRun: SystemStep = {
  owed: false,
  async execute({ runId, id, input }, { deliver, getRun, now }) {
    const watched = input as string;
    const data = encode({ runId, id } satisfies Watcher, "watcher");
    const messageId = derivedMessageId("watch", runId, id);
    const { outcome } = await deliver({
      messageId,
      to: { runId: watched },
      type: WATCH,
      at: now(),
      data,
      atEnd: true,
    });
    if (outcome === "delivered") return { type: "waiting" };
    const run = await getRun(watched);
    if (run === null || !isTerminal(run.status)) throw new WorkflowRunNotFoundError(watched);
    return { type: "completed", value: endingOf(run) };
  },
};
