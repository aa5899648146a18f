import { decode, encode } from "../../serialization/index.ts";
import type { Execution, KindState } from "../execution.ts";
import type { Kind } from "./kind.ts";

/** The attribute of a run that has the id of the run by which it was started. */
export const PARENT = "$parent";

/** What a run owes its children when it ends: `children_kept` tells the next generation of it. */
export interface Children extends KindState {
  /** It has, or had, one that is cancelled when it ends. */
  tied: boolean;
  /** It has, or had, one that is cancelled when it ends cancelled. */
  sharing: boolean;
}

/** The children of an execution. */
export function childrenOf(execution: Execution): Children {
  return execution.state(newChildren);
}

function newChildren(): Children {
  return { tied: false, sharing: false };
}

export const childrenKind: Kind = {
  events: {
    children_kept: {
      role: "note",
      note(execution, { data }) {
        Object.assign(childrenOf(execution), decode(data));
      },
    },
  },
  carry(execution) {
    const { tied, sharing } = childrenOf(execution);
    if (!tied && !sharing) return [];
    return [{ type: "children_kept", id: null, name: null, data: encode({ tied, sharing }, "children") }];
  },
};
