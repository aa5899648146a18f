import { decodeError } from "../serialization/index.ts";
import type { JournalEvent } from "../world/index.ts";
import { roleOf } from "./kinds/index.ts";
import type { EventRole } from "./kinds/kind.ts";

/**
 * Which failures of steps are those of a run, so that a retry goes on before the first of them: the last one; those that its error
 * is, or holds as a cause or among its `errors`; and those on which the code has asked for nothing, as when it waits for steps
 * side by side. The others the code has dealt with: they stay.
 */
export function failuresOf(journal: readonly JournalEvent[]): readonly JournalEvent[] {
  const last = journal.findLast(isFailure);
  const named = stepsNamedIn(journal.findLast(({ type }) => roleOf(type).role === "end")?.data ?? null);
  return journal.filter((event, index) => {
    if (!isFailure(event)) return false;
    const next = journal[index + 1];
    const dealtWith = next !== undefined && roleOf(next.type).role === "request";
    return event === last || !dealtWith || named.has(event.id);
  });
}

function isFailure({ type }: JournalEvent): boolean {
  const role: EventRole = roleOf(type);
  return role.role === "delivery" && role.failure === true;
}

/** The steps whose failures an error is made of: each bears the id of its step. */
function stepsNamedIn(data: Uint8Array | null): ReadonlySet<unknown> {
  const named = new Set<unknown>();
  const seen = new Set<object>();
  const open: unknown[] = [data === null ? null : decodeError(data)];
  while (open.length > 0) {
    const error = open.pop();
    if (typeof error !== "object" || error === null || seen.has(error)) continue;
    seen.add(error);
    const { stepId, cause, errors } = error as { stepId?: unknown; cause?: unknown; errors?: unknown };
    named.add(stepId);
    open.push(cause, ...(Array.isArray(errors) ? errors : []));
  }
  return named;
}
