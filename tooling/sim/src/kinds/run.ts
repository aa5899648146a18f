import type { MemoryRun } from "@perdure/core/testing";
import { isTerminal, type JournalEvent } from "@perdure/core/world";
import type { RunFold } from "../fold.ts";
import type { Kind } from "./kind.ts";

/** The begin and the end of a run. */

export const runKind: Kind = {
  events: {
    run_created: {},
    run_started: {
      read(fold, event) {
        if (fold.begun) fold.refuse(event, "it has begun before");
        fold.begun = true;
        fold.status = "running";
        fold.startedAt ??= event.at;
      },
    },
    run_forked: {
      read(fold, event) {
        if (fold.length !== 2) fold.refuse(event, "it comes second");
      },
    },
    run_completed: { read: end },
    run_failed: { read: end },
    run_cancelled: { read: end },
    headers_given: {},
  },
};

function end(fold: RunFold, event: JournalEvent): void {
  const status = event.type.slice("run_".length) as "completed" | "failed" | "cancelled";
  if (!fold.begun && status !== "cancelled") fold.refuse(event, "the run has not begun");
  if (fold.cancelRequested !== (status === "cancelled")) fold.refuse(event, "a cancelled run ends cancelled");
  fold.status = status;
  fold.completedAt = event.at;
  if (status === "completed") fold.output = event.data;
  else fold.error = event.data;
  fold.spared.clear();
}

/** A run that has ended, and that nobody looks at any more. */
export function isOver({ row }: Pick<MemoryRun, "row">): boolean {
  return isTerminal(row.status) && row.owner === null && row.dueAt === null;
}
