import { WorkflowRunNotFoundError } from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { openIn } from "../../interpreter/kinds/index.ts";
import { isSleep, STOP_SLEEP } from "../../interpreter/kinds/wait.ts";
import { journalPages } from "../../journal-pages.ts";
import { isTerminal, type JournalEvent, type RunRecord } from "../../world/index.ts";
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
  const pending = await pendingSleeps(run, store);
  const stopped = pending.filter((id) => ids === null || ids.includes(id));
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
  run: RunRecord,
  { listEvents }: Pick<StoreCalls, "listEvents">,
): Promise<readonly string[]> {
  const open = new Map<string, JournalEvent>();
  for await (const page of journalPages(listEvents, run)) openIn(page, "wait", open);
  return [...open].filter(([, wait]) => isSleep(wait)).map(([id]) => id);
}
