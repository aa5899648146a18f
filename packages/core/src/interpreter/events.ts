import type { CommitEvent, NameConflict, NewEvent } from "../world/index.ts";
import type { Execution } from "./execution.ts";
import { roleOf } from "./kinds/index.ts";
import type { Known } from "./pending.ts";

/** Events of the journal and the execution that they belong to. */

/** A request of the code is in the journal, as this event. */
export function journalled(execution: Execution, event: NewEvent): void {
  const role = roleOf(event.type);
  if (role.role === "request") role.journalled(execution, event);
}

/** Tells a fresh execution what the code does not hear, of an event of that role. */
export function noted(execution: Execution, event: NewEvent): void {
  const role = roleOf(event.type);
  if (role.role === "note") execution.enter(() => role.note(execution, event));
}

/** The event as the store has written it: one whose claim was refused is another. */
export function asWritten(event: CommitEvent, conflicts: readonly NameConflict[]): NewEvent {
  const { claim } = event;
  const conflict = claim && conflicts.find(({ id }) => id === claim.id);
  if (conflict === undefined) return event;
  return { ...event, type: claim?.refusedAs ?? event.type, data: new TextEncoder().encode(conflict.runId) };
}

/** Gives an event to the code. Throws if its data cannot be decoded here; `known` is its data, decoded before. */
export function deliver(execution: Execution, event: NewEvent, known?: Known): void {
  const role = roleOf(event.type);
  if (role.role !== "delivery")
    throw new TypeError(`A ${event.type} event cannot be delivered to a workflow.`);
  execution.enter(() => role.deliver(execution, event, known));
  execution.advance(event.at);
}
