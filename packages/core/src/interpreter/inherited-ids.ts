import type { JournalEvent, RunRecord } from "../world/index.ts";
import { entityKey, idOf, type Origin } from "./identity.ts";
import { roleOf } from "./kinds/index.ts";
import type { EventRole, RequestRole } from "./kinds/kind.ts";
import { isWebhookId } from "./webhook.ts";

/** The ids that a run has from the one whose journal it begins with. */

export interface InheritedIds {
  /** So many of each kind and name keep their ids. */
  readonly counts: Readonly<Record<string, number>>;
  /** Those of them that get ids of the new run. */
  readonly renewed: readonly string[];
  /** The new ids of those of them that have one in the journal, by the old ones. */
  readonly ids: ReadonlyMap<string | null, string>;
  /** Steps whose ids are the old run's own although the run before it had asked for as many: for others. */
  readonly others: readonly string[];
}

interface IdTerms {
  readonly old: RunRecord;
  /** From where the old run went on. */
  readonly earlier: Origin | null;
  readonly runId: string;
  readonly isRenewed: (id: string | null) => boolean;
}

/**
 * Which ids stay: those of all that the beginning of a journal asks for, and those of steps in the rest, as far as the new run
 * asks for the same. `rest`: `null` for a run that does something else.
 */
export function idsIn(
  beginning: readonly JournalEvent[],
  rest: readonly JournalEvent[] | null,
  { old, earlier, runId, isRenewed }: IdTerms,
): InheritedIds {
  const counts: Record<string, number> = {};
  const renewed: string[] = [];
  const others: string[] = [];
  const ids = new Map<string | null, string>();
  const later = rest?.[0]?.seq ?? Number.POSITIVE_INFINITY;
  for (const event of [...beginning, ...(rest ?? [])]) {
    const counted = countedAs(roleOf(event.type));
    const isLater = event.seq >= later;
    if (counted === undefined || (isLater && counted.as !== "step")) continue;
    const { as, byName } = counted;
    const kind = event.id !== null && isWebhookId(event.id) ? "webhook" : as;
    const name = byName ? (event.name ?? "") : "";
    const key = entityKey(kind, name);
    const count = (counts[key] ?? 0) + 1;
    counts[key] = count;
    const place = `${key}\0${count}`;
    if (isRenewed(event.id)) {
      renewed.push(place);
      if (!isLater) ids.set(event.id, idOf(kind, name, count, { runId, generation: 0 }, null));
    }
    if (as === "step" && earlier !== null && event.id !== idOf(kind, name, count, old, earlier))
      others.push(place);
  }
  if (rest !== null && earlier !== null) {
    for (const [key, count] of Object.entries(earlier.counts)) {
      if (key.startsWith(entityKey("step", ""))) counts[key] = Math.max(counts[key] ?? 0, count);
    }
  }
  return { counts, renewed, ids, others };
}

/** Among what the entity is counted of which an event is the request. */
export function countedAs(role: EventRole): RequestRole["counted"] {
  return role.role === "request" ? role.counted : undefined;
}
