import type { NewEvent } from "../world/index.ts";
import type { Execution } from "./execution.ts";
import { roleOf } from "./kinds/index.ts";
import type { Known } from "./pending.ts";

/** Events of the journal and the execution that they belong to. */

/** A request of the code is in the journal, as this event. */
export function journalled(execution: Execution, event: NewEvent): void {
  const role = roleOf(event.type);
  if (role.role === "request") role.journalled(execution, event);
}

/** Gives an event to the code. Throws if its data cannot be decoded here; `known` is its data, decoded before. */
export function deliver(execution: Execution, event: NewEvent, known?: Known): void {
  const role = roleOf(event.type);
  if (role.role !== "delivery")
    throw new TypeError(`A ${event.type} event cannot be delivered to a workflow.`);
  role.deliver(execution, event, known);
  execution.advance(event.at);
}
