import { WorkflowRunCancelledError } from "../../errors/index.ts";
import { decode } from "../../serialization/index.ts";
import type { Execution, KindState } from "../execution.ts";
import type { Kind } from "./kind.ts";

/** The cancel of a run: what the code waits for is rejected, but for steps that have begun and may end. */

/** `data` of a `run_cancel_requested` event. */
export interface CancelRecord {
  readonly reason: string | undefined;
  /** Steps that have begun: they may end, until the time `until`. */
  readonly finishing: readonly string[];
  readonly until: number;
}

/** How far the cancel of an execution is. */
export interface Cancel extends KindState {
  /** Set when the run is being cancelled. */
  record: CancelRecord | null;
  /** Steps that had begun when the run was cancelled and have not ended since. */
  readonly finishing: Set<string>;
  /** What the code gets for everything that the cancel interrupts. */
  readonly error: () => WorkflowRunCancelledError;
}

/** The cancel of an execution, come or not. */
export function cancelOf(execution: Execution): Cancel {
  return execution.state(newCancel);
}

function newCancel({ runId }: Execution): Cancel {
  const cancel: Cancel = {
    record: null,
    finishing: new Set(),
    error: () => new WorkflowRunCancelledError(runId, cancel.record?.reason),
  };
  return cancel;
}

export const cancelKind: Kind = {
  events: {
    run_cancel_requested: {
      role: "delivery",
      deliver(execution, event) {
        const cancel = cancelOf(execution);
        if (cancel.record !== null) return;
        cancel.record = decode(event.data) as CancelRecord;
        for (const id of cancel.record.finishing) cancel.finishing.add(id);
        execution.interrupt(cancel.error(), cancel.finishing);
      },
    },
  },
};
