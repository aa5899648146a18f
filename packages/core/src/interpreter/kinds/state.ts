import { decode, encode, storable } from "../../serialization/index.ts";
import { firstDifference } from "../difference.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import type { Kind } from "./kind.ts";

/** What a run shows of itself: `state_set`, which also sets the row's `state`. Nobody is woken to read it. */

/** A run's state, as the row keeps it. */
export interface RunState {
  /** How often it was set: 1, 2, 3 … It goes on when the run continues as new. */
  readonly version: number;
  readonly value: unknown;
}

interface Versions extends KindState {
  last: number;
}

function versionsOf(execution: Execution): Versions {
  return execution.state(VERSIONS);
}

const VERSIONS: StateKey<Versions> = { name: "versions", make: newVersions };

function newVersions(): Versions {
  return { last: 0 };
}

/** A workflow sets its state. */
export function setStateIn(execution: Execution, value: unknown): void {
  if (execution.over) return;
  const versions = versionsOf(execution);
  const state: RunState = { version: versions.last + 1, value };
  const data = storable(encode(state, "state"), "state", execution.largestValue);
  versions.last = state.version;
  const id = execution.nextId("state", "");
  execution.request({ type: "state_set", id, name: null, data, patch: { state: data } });
}

export const stateKind: Kind = {
  events: {
    state_set: {
      role: "request",
      counted: { as: "state", byName: false },
      strict: true,
      journalled() {},
      difference: (event, request) => firstDifference("state", event.data, request.data),
    },
    // The version in the generation before.
    state_kept: {
      role: "note",
      note(execution, { data }) {
        versionsOf(execution).last = decode(data) as number;
      },
    },
  },
  row(events, old) {
    const last = events.findLast(({ type }) => type === "state_set" || type === "state_kept");
    if (last === undefined) return { state: null };
    if (last.type === "state_set") return { state: last.data };
    // What a generation before them set is known only as long as it is the last one.
    const shown = decode(old.state) as RunState | null;
    return { state: shown?.version === decode(last.data) ? old.state : null };
  },
  carry(execution) {
    const { last } = versionsOf(execution);
    return last === 0 ? [] : [{ type: "state_kept", id: null, name: null, data: encode(last, "version") }];
  },
};
