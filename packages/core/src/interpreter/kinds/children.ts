import { decode, encode } from "../../serialization/index.ts";
import type { JournalEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import { cancelOf } from "./cancel.ts";
import type { Before, Kind } from "./kind.ts";
import { goneOnWithBy } from "./other-runs.ts";
import { isCallOf } from "./system-step.ts";

/**
 * What a run owes its children when it ends: `children_tied` tells the next generation of it. And what becomes of those that it
 * failed with, if another run goes on for it: `run_again` tells that one of each.
 */
export interface Children extends KindState {
  /** It has, or had, one that is cancelled when it ends. */
  tied: boolean;
  readonly again: Map<string, RunAgain>;
}

/** Of a run that was awaited and failed, and is gone on with where it is awaited again. */
export interface RunAgain {
  readonly keys: "keep" | "new";
  /** Whoever started it; else only if that was the run, or one that it goes on for. */
  readonly whoever: boolean;
  /** When the retry was asked for. */
  readonly at: number;
}

/** The children of an execution. */
export function childrenOf(execution: Execution): Children {
  return execution.state(CHILDREN);
}

const CHILDREN: StateKey<Children> = { name: "children", make: newChildren };

function newChildren(): Children {
  return { tied: false, again: new Map() };
}

export const childrenKind: Kind = {
  events: {
    children_tied: {
      role: "note",
      note(execution) {
        childrenOf(execution).tied = true;
      },
    },
    run_again: {
      role: "note",
      note(execution, { id, at, data }) {
        const again = decode(data) as Omit<RunAgain, "at">;
        childrenOf(execution).again.set(id ?? "", { ...again, at });
      },
    },
  },
  before: runsAgain,
  // A cancelled run may have children that its steps have started, of which its journal does not know.
  indebted: (execution) => childrenOf(execution).tied || cancelOf(execution).record !== null,
  owes: ({ run, journal }) => ({ children: run.status === "cancelled" || journal.some(tellsOfChild) }),
  carry(execution) {
    const { tied } = childrenOf(execution);
    return tied ? [{ type: "children_tied", id: null, name: null, data: null }] : [];
  },
};

/** The runs with which a run has failed. */
function runsAgain({ prefix, rest, again, keys, now: at }: Before): JournalEvent[] {
  const asked = new Map<string, JournalEvent>();
  const awaited = new Map<string, number>();
  const whoevers = new Set<string>();
  for (const event of [...prefix, ...rest]) {
    const { type, id, name, data, seq } = event;
    if (id === null) continue;
    if (type === "system_step_created" || type === "system_step_again") {
      asked.set(id, event);
      if (again?.has(id) === true && name === "watch_run") awaited.set(decode(data) as string, seq);
    }
    const request =
      type === "system_step_completed" || type === "system_step_recorded" ? asked.get(id) : null;
    const started = request ? goneOnWithBy(request.name, request.data, data) : null;
    if (started !== null) whoevers.add(started);
  }
  return [...awaited].map(([id, seq]) => {
    const data = encode({ keys, whoever: whoevers.has(id) }, "run");
    return { seq, type: "run_again", at, id, name: null, data };
  });
}

function tellsOfChild(event: JournalEvent): boolean {
  return event.type === "children_tied" || isCallOf(event, "start_run");
}
