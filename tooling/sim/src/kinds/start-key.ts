import { isTerminal, type RunRecord } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { goesOnFor } from "../line.ts";
import type { Kind, StoreView } from "./kind.ts";

/** The keys of starts. */

/** The key of runs that replace each other. */
export const REPLACED = "replaced";

/** Another start takes the run's place. */
export function isReplaced({ idempotencyKey }: RunRecord): boolean {
  return idempotencyKey === REPLACED;
}

export const startKeyKind: Kind = {
  events: { key_released: {} },
  laws: { started: checkOnlyOne },
};

/** No two runs of a workflow have one key. */
function checkOnlyOne(view: StoreView, row: RunRecord): void {
  if (row.idempotencyKey === null) return;
  for (const { row: other } of view.state.runs.values()) {
    if (other.runId === row.runId || other.workflow !== row.workflow) continue;
    // The key of a run that has failed passes to the one that goes on for it; its own start may be asked for again after that.
    if (isTerminal(other.status) && goesOnFor(view, row.runId, other.runId)) continue;
    if (isTerminal(row.status) && goesOnFor(view, other.runId, row.runId)) continue;
    // One that takes the other's place comes when that has ended.
    if (isReplaced(row) && (isTerminal(other.status) || isTerminal(row.status))) continue;
    if (other.idempotencyKey !== row.idempotencyKey) continue;
    throw new LawBroken("start keys are unique", `run ${other.runId} has the same key`, row.runId);
  }
}
