import { setState } from "@perdure/core";
import { decode } from "@perdure/core/testing";
import { type RunFold, sameBytes, valueIn } from "../fold.ts";
import type { Node } from "../program.ts";
import { slot } from "../slot.ts";
import type { Kind, Maker, NodeKinds } from "./kind.ts";

/** The state that a run shows. */

export const stateNodes: NodeKinds<"state"> = {
  state: {
    async execute({ value }) {
      setState(value);
      return value;
    },
    gives: ({ value }) => [value],
  },
};

export function newState(maker: Maker): Node {
  return { type: "state", value: maker.key() };
}

/** What was set last, as the row keeps it; `undefined`: another run's generation before this one has set it. */
const stateOf: (fold: RunFold) => { last: Uint8Array | null | undefined } = slot(() => ({ last: null }));

export const stateKind: Kind = {
  events: {
    state_set: {
      givesId: true,
      read(fold, { data }) {
        stateOf(fold).last = data;
      },
    },
    state_kept: {
      read(fold, event) {
        fold.beforeBegin(event);
        const state = stateOf(fold);
        if (fold.inheriting) state.last = undefined;
        else if (state.last !== undefined && versionOf(state.last) !== valueIn<number>(event))
          fold.refuse(event, "it is another state");
      },
    },
  },
  laws: {
    row(row, fold) {
      const { last } = stateOf(fold);
      return last === undefined || sameBytes(row.state, last) ? null : "state is not what was set last";
    },
  },
};

function versionOf(state: Uint8Array | null): number | undefined {
  return (decode(state) as { readonly version: number } | null)?.version;
}
