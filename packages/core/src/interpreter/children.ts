import type { Execution, KindState } from "./execution.ts";

/** What a run owes its children when it ends. */
export interface Children extends KindState {
  /** It has one that is cancelled when it ends. */
  tied: boolean;
  /** It has one that is cancelled when it ends cancelled. */
  sharing: boolean;
}

/** The children of an execution. */
export function childrenOf(execution: Execution): Children {
  return execution.state(newChildren);
}

function newChildren(): Children {
  return { tied: false, sharing: false };
}
