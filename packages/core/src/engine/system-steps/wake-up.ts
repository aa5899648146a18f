import { WorkflowRunNotFoundError } from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { STOP_SLEEP } from "../../interpreter/kinds/wait.ts";
import { isTerminal } from "../../world/index.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";

/**
 * Ends sleeps of a run early: each that its journal has, and that has not ended, gets a message of its own, whose id is derived from
 * the sleep's. A sleep that the run begins later is another one and is not ended.
 */

export interface WakeUpInput {
  readonly runId: string;
  /** Only these sleeps; `null`: all. */
  readonly ids: readonly string[] | null;
}

/** What `run.wakeUp()` gives. */
export interface StopSleepResult {
  /** How many sleeps were pending and end now. */
  readonly stoppedCount: number;
}

/** Events of one page. */
const PAGE = 1_000;

export const wakeUp: SystemStep = {
  owed: true,
  async execute({ input }, store) {
    return { type: "completed", value: await stopSleeps(input as WakeUpInput, store) };
  },
};

/** Ends them. Of a run that has ended none is pending. */
export async function stopSleeps(
  { runId, ids }: WakeUpInput,
  store: Pick<StoreCalls, "getRun" | "listEvents" | "deliver" | "now">,
): Promise<StopSleepResult> {
  const run = await store.getRun(runId);
  if (run === null) throw new WorkflowRunNotFoundError(runId);
  if (isTerminal(run.status)) return { stoppedCount: 0 };
  const pending = await pendingSleeps(runId, store);
  const stopped = [...pending].filter((id) => ids === null || ids.includes(id));
  const results = await Promise.all(
    stopped.map((id) =>
      store.deliver({
        messageId: derivedMessageId(STOP_SLEEP, runId, id),
        to: { runId, id },
        type: STOP_SLEEP,
        at: store.now(),
        data: null,
      }),
    ),
  );
  return { stoppedCount: results.filter(({ outcome }) => outcome === "delivered").length };
}

async function pendingSleeps(
  runId: string,
  { listEvents }: Pick<StoreCalls, "listEvents">,
): Promise<ReadonlySet<string>> {
  const pending = new Set<string>();
  let after = 0;
  for (;;) {
    const events = await listEvents(runId, after, PAGE);
    for (const { type, id, name } of events) {
      if (id === null) continue;
      // One with a name limits how long something else is waited for.
      if (type === "wait_created" && name === null) pending.add(id);
      if (type === "wait_completed") pending.delete(id);
    }
    const last = events.at(-1);
    if (last === undefined) return pending;
    after = last.seq;
  }
}
