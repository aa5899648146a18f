import type { Execution } from "../../interpreter/execution.ts";
import { payloadsLeft } from "../../interpreter/kinds/hook-state.ts";
import { mayOwe } from "../../interpreter/kinds/index.ts";
import { encode } from "../../serialization/index.ts";
import type { Outbox } from "./outbox.ts";
import type { RunSteps } from "./run-steps.ts";

/** What a run will owe when its end is durable, as far as only its owner knows it: see `after-end/debts.ts`. */

/** Writes, before the run's end, what its journal does not say yet, and notes that something is owed if it is. */
export function writeDebts(outbox: Outbox, execution: Execution, steps: RunSteps, now: number): void {
  const left = payloadsLeft(execution);
  if (left !== null) outbox.append("payloads_left", now, null, null, encode(left, "left"));
  if (left !== null || mayOwe(execution) || steps.owed) outbox.owe();
}
