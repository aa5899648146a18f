import { isShielded } from "../../contexts.ts";
import { WorkflowRunCancelledError } from "../../errors/index.ts";
import { decode } from "../../serialization/index.ts";
import { rejected } from "../deferred.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import type { Kind } from "./kind.ts";

/** The cancel of a run: what the code waits for is rejected, but for steps that have begun and may end. */

/** `data` of a `run_cancel_requested` event. */
export interface CancelRecord {
  readonly reason: string | undefined;
  /** Steps that have begun: they may end, until the time `until`. */
  readonly finishing: readonly string[];
  readonly until: number;
  /** The code does not hear of it: the run is terminated, or cannot be executed. */
  readonly unheard?: true;
}

/** The type of the message that ends a run without its code. */
export const TERMINATE = "terminate";

/** How far the cancel of an execution is. */
export interface Cancel extends KindState {
  /** Set when the run is being cancelled. */
  record: CancelRecord | null;
  /** Steps that had begun when the run was cancelled and have not ended since. */
  readonly finishing: Set<string>;
  /** How often the code has begun to wait since it was cancelled. */
  again: number;
  /** What the code gets for everything that the cancel interrupts. */
  readonly error: () => WorkflowRunCancelledError;
}

/** The cancel of an execution, come or not. */
export function cancelOf(execution: Execution): Cancel {
  return execution.state(CANCEL);
}

/** So often code that has been cancelled may begin to wait for something; then it is not called any more. */
const MOST_AGAIN = 10;

/**
 * What code that was cancelled, and goes on, gets when it waits for something outside of a `shield`: the cancel again. After
 * some times, as in a loop that catches errors and sleeps, it gets nothing any more, and the run ends.
 */
export function cancelledAgain(execution: Execution): Promise<never> | null {
  const cancel = cancelOf(execution);
  if (cancel.record === null || isShielded()) return null;
  cancel.again++;
  if (cancel.again < MOST_AGAIN) return rejected(cancel.error());
  execution.endAs(cancel.error());
  return new Promise(() => {});
}

const CANCEL: StateKey<Cancel> = { name: "cancel", make: newCancel };

function newCancel({ runId }: Execution): Cancel {
  const cancel: Cancel = {
    record: null,
    finishing: new Set(),
    again: 0,
    error: () => new WorkflowRunCancelledError(runId, cancel.record?.reason),
  };
  return cancel;
}

function recordIn(data: Uint8Array | null): CancelRecord {
  return decode(data) as CancelRecord;
}

export const cancelKind: Kind = {
  events: {
    run_cancel_requested: {
      role: "delivery",
      endsCode: ({ data }) => recordIn(data).unheard === true,
      deliver(execution, event) {
        const record = recordIn(event.data);
        if (record.unheard === true) {
          execution.endCancelled(record.reason ?? "");
          return;
        }
        const cancel = cancelOf(execution);
        if (cancel.record !== null) return;
        cancel.record = record;
        for (const id of cancel.record.finishing) cancel.finishing.add(id);
        execution.interrupt(cancel.error(), ({ id, shielded }) => shielded || cancel.finishing.has(id));
      },
    },
  },
};
