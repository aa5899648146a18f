import { decodeError } from "../serialization/index.ts";
import type { JournalEvent } from "../world/index.ts";
import { roleOf } from "./kinds/index.ts";
import type { EventRole, Failure } from "./kinds/kind.ts";

/**
 * Which failures are those of a run, so that a retry goes on before the first of them: the last one; those that its error is, or
 * holds as a cause or among its `errors`; and those on which the code has asked for nothing, as when it waits for steps side by
 * side. The others the code has dealt with: they stay.
 */
export function failuresOf(journal: readonly JournalEvent[]): readonly JournalEvent[] {
  const requests = new Map<string | null, JournalEvent>();
  const failures = new Map<JournalEvent, Failure>();
  for (const event of journal) {
    const role: EventRole = roleOf(event.type);
    if (role.role === "request") requests.set(event.id, event);
    const failure = role.role === "delivery" ? (role.failure?.(event, requests.get(event.id)) ?? null) : null;
    if (failure !== null) failures.set(event, failure);
  }
  const last = [...failures.keys()].at(-1);
  const named = namedIn(journal.findLast(({ type }) => roleOf(type).role === "end")?.data ?? null);
  return journal.filter((event, index) => {
    const failure = failures.get(event);
    if (failure === undefined) return false;
    const next = journal[index + 1];
    const dealtWith = next !== undefined && roleOf(next.type).role === "request";
    return event === last || !dealtWith || named.has(failure.of);
  });
}

/** The steps and runs whose failures an error is made of: each bears the id. */
function namedIn(data: Uint8Array | null): ReadonlySet<unknown> {
  const named = new Set<unknown>();
  const seen = new Set<object>();
  const open: unknown[] = [data === null ? null : decodeError(data)];
  while (open.length > 0) {
    const error = open.pop();
    if (typeof error !== "object" || error === null || seen.has(error)) continue;
    seen.add(error);
    const { stepId, runId, cause, errors } = error as Readonly<Record<string, unknown>>;
    named.add(stepId).add(runId);
    open.push(cause, ...(Array.isArray(errors) ? errors : []));
  }
  return named;
}
