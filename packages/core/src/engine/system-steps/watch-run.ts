import { refuseSealed } from "../../encryption/sealed-bytes.ts";
import { WorkflowRunNotFoundError } from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { encode } from "../../serialization/index.ts";
import { isTerminal, type RunRecord } from "../../world/index.ts";
import type { RunEnding } from "../commits/completions.ts";
import { goOnFor } from "./go-on.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep, SystemStepResult } from "./system-step.ts";

/**
 * Waits for another run's end: end mail to it says who waits, and its work after the end answers. A run that has ended is simply
 * read. Nothing is held meanwhile, and nobody is woken but the one who waits.
 */

/** The type of the end mail; its data is a {@link Watcher}. */
export const WATCH = "watch";

/** The type of the end mail that says who waits, and asks for no answer; its data is a {@link Watcher}. */
export const WAITS = "waits";

/** Who is told of an end. */
export interface Watcher {
  readonly runId: string;
  /** Of the system step that waits. */
  readonly id: string;
}

/**
 * How a terminal run ended, to be told to another one.
 *
 * @throws {EncryptionError} if this process cannot read it
 */
export function endingOf({ runId, status, workflow, output, error }: RunRecord): RunEnding {
  refuseSealed([{ data: output }, { data: error }]);
  return { runId, status, workflow, output, error };
}

export const watchRun: SystemStep = {
  owed: false,
  async execute({ runId, id, input, again }, store) {
    const watched = input as string;
    const last = await goOnFor(watched, again(watched), runId, store);
    return await watch(last, { runId, id }, WATCH, store);
  },
};

/**
 * Says to a run who waits for its end.
 *
 * @throws {WorkflowRunNotFoundError} if there is no such run
 */
export async function watch(
  watched: string,
  watcher: Watcher,
  type: typeof WATCH | typeof WAITS,
  { deliver, getRun, now }: Pick<StoreCalls, "deliver" | "getRun" | "now">,
): Promise<SystemStepResult> {
  const messageId = derivedMessageId(type, watcher.runId, watcher.id);
  const data = encode(watcher, "watcher");
  const { outcome } = await deliver({
    messageId,
    to: { runId: watched },
    type,
    at: now(),
    data,
    atEnd: true,
  });
  if (outcome === "delivered") return { type: "waiting" };
  const run = await getRun(watched);
  if (run === null || !isTerminal(run.status)) throw new WorkflowRunNotFoundError(watched);
  return { type: "completed", value: endingOf(run) };
}
