import { isTerminal } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import type { RunFold } from "../fold.ts";
import type { Kind, StoreView } from "./kind.ts";
import { systemStepsOf, undone } from "./system-step.ts";

/** Messages that a workflow has sent to another run, such as a cancel. */

export const messageKind: Kind = {
  laws: { owes: (_, fold) => undone(fold, "send_message"), done: checkSent },
};

function checkSent({ state }: StoreView, fold: RunFold): void {
  const { asked, own } = systemStepsOf(fold);
  for (const { id, name, input } of asked.values()) {
    if (name !== "send_message" || !own.has(id)) continue;
    const to = state.runs.get((input as { readonly to: { readonly runId: string } }).to.runId);
    if (to === undefined || isTerminal(to.row.status) || state.messages.has(id)) continue;
    throw new LawBroken("work after the end is done", `its message ${id} was not sent`, fold.runId);
  }
}
