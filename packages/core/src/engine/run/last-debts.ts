import type { Execution } from "../../interpreter/execution.ts";
import { payloadsLeft } from "../../interpreter/kinds/hook-state.ts";
import { mayOwe, roleOf } from "../../interpreter/kinds/index.ts";
import { payloadsIn } from "../../interpreter/kinds/unread-payloads.ts";
import { encode } from "../../serialization/index.ts";
import type { JournalEvent } from "../../world/index.ts";
import type { Outbox } from "./outbox.ts";
import type { RunSteps } from "./run-steps.ts";

/** What a run will owe when its end is durable, as far as only its owner knows it: see `after-end/debts.ts`. */

/** Writes, before the run's end, what its journal does not say yet, and notes that something is owed if it is. */
export function writeDebts(outbox: Outbox, execution: Execution, steps: RunSteps, now: number): void {
  const left = payloadsLeft(execution);
  if (left !== null) outbox.append("payloads_left", now, null, null, encode(left, "left"));
  if (left !== null || mayOwe(execution) || steps.owed) outbox.owe();
}

/**
 * The same for a run that ends while no code can follow its journal. Which payloads the code has read is not known then: those that came
 * since it asked for anything count as unread, for reading them has had no effect, and the others as read.
 */
export function writeDebtsOf(outbox: Outbox, journal: readonly JournalEvent[], now: number): void {
  const left = payloadsIn(journal.slice(lastRequest(journal) + 1));
  if (left !== null) outbox.append("payloads_left", now, null, null, encode(left, "left"));
  outbox.owe();
}

/** Whether its code would tell more of what it has read: a payload came before it asked for something, and not as it asked for that. */
export function needsCode(journal: readonly JournalEvent[]): boolean {
  const before = journal.slice(0, Math.max(lastRequest(journal), 0));
  return payloadsIn(before.filter((_, index) => !isRequest(journal[index + 1]))) !== null;
}

function lastRequest(journal: readonly JournalEvent[]): number {
  return journal.findLastIndex(isRequest);
}

function isRequest(event: JournalEvent | undefined): boolean {
  return event !== undefined && roleOf(event.type).role === "request";
}
