import type { JournalEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import { cancelOf } from "./cancel.ts";
import type { Kind } from "./kind.ts";
import { isCallOf } from "./system-step.ts";

/** What a run owes its children when it ends: `children_tied` tells the next generation of it. */
export interface Children extends KindState {
  /** It has, or had, one that is cancelled when it ends. */
  tied: boolean;
}

/** The children of an execution. */
export function childrenOf(execution: Execution): Children {
  return execution.state(CHILDREN);
}

const CHILDREN: StateKey<Children> = { name: "children", make: newChildren };

function newChildren(): Children {
  return { tied: false };
}

export const childrenKind: Kind = {
  events: {
    children_tied: {
      role: "note",
      note(execution) {
        childrenOf(execution).tied = true;
      },
    },
  },
  // A cancelled run may have children that its steps have started, of which its journal does not know.
  indebted: (execution) => childrenOf(execution).tied || cancelOf(execution).record !== null,
  owes: ({ run, journal }) => ({ children: run.status === "cancelled" || journal.some(tellsOfChild) }),
  carry(execution) {
    const { tied } = childrenOf(execution);
    return tied ? [{ type: "children_tied", id: null, name: null, data: null }] : [];
  },
};

function tellsOfChild(event: JournalEvent): boolean {
  return event.type === "children_tied" || isCallOf(event, "start_run");
}
