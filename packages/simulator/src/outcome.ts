import { type Clock, coldReplay, decode, decodeError, type MemoryRun } from "@perdure/core/testing";
import { isTerminal } from "@perdure/core/world";
import { BrokenLaw } from "./broken.ts";
import type { SimulatedRun } from "./options.ts";

/** Runs that are over: what must hold of each, and what laws of the user's see of it. */

const replayClock: Clock = {
  now: () => 0,
  elapsed: () => 0,
  setTimer: () => () => {},
  turn: (fn) => void setImmediate(fn),
  pause: (fn) => void setImmediate(fn),
};

/** It has ended, and owes nothing. */
export function isOver({ row }: MemoryRun): boolean {
  return isTerminal(row.status) && row.owner === null && row.dueAt === null;
}

/** Its code does once more what the journal says, and comes to the same end. */
export async function checkReplay({ row, journal }: MemoryRun): Promise<void> {
  const { runId, status } = row;
  // What `once` was asked for is executed without a workflow of the user's; a cancelled run may have been ended before its code.
  if (status === "cancelled" || row.workflow.startsWith("step:")) return;
  const broken = (reason: string, cause?: unknown): BrokenLaw =>
    new BrokenLaw("cold replay", reason, runId, cause);
  const replay = await coldReplay(row, journal, replayClock).catch((error: unknown) => {
    throw broken(error instanceof Error ? error.message : String(error), error);
  });
  if (status === "completed" && (replay.outcome !== "returned" || !equal(replay.output, row.output))) {
    throw broken(`it returned ${show(row.output)}, its replay ${replay.outcome} ${show(replay.output)}`);
  }
  if (status === "failed" && replay.outcome !== "threw")
    throw broken(`it failed, its replay ${replay.outcome}`);
}

export function simulatedRun({ row, journal }: MemoryRun): SimulatedRun {
  const { runId, workflow, status, output, error } = row;
  const created = journal.find(({ type }) => type === "run_created");
  return {
    ...{ runId, workflow, status },
    args: (decode(created?.data ?? null) ?? []) as readonly unknown[],
    output: status === "completed" ? decode(output) : undefined,
    error: error === null ? undefined : decodeError(error),
    events: journal.map(({ type, id, name }) => ({ type, id, name })),
  };
}

function equal(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === b || (a !== null && b !== null && Buffer.from(a).equals(b));
}

function show(value: Uint8Array | null): string {
  return value === null ? "nothing" : (JSON.stringify(decode(value)) ?? "undefined");
}
