import type { JournalEvent } from "../world/index.ts";
import { entityKey, idOf } from "./identity.ts";
import { roleOf } from "./kinds/index.ts";
import type { EventRole, RequestRole } from "./kinds/kind.ts";
import { isWebhookId } from "./webhook.ts";

/** The ids that a run has from the one whose journal it begins with. */

export interface InheritedIds {
  /** So many of each kind and name keep their ids. */
  readonly counts: Readonly<Record<string, number>>;
  /** Those of them that get ids of the new run. */
  readonly renewed: readonly string[];
  /** The new ids of those, by the old ones. */
  readonly ids: ReadonlyMap<string | null, string>;
}

/** Which ids stay, in the run `runId`, of all that the beginning of a journal asks for. */
export function idsIn(
  beginning: readonly JournalEvent[],
  runId: string,
  isRenewed: (id: string) => boolean,
): InheritedIds {
  const counts: Record<string, number> = {};
  const renewed: string[] = [];
  const ids = new Map<string | null, string>();
  for (const { type, id, name: given } of beginning) {
    const counted = countedAs(roleOf(type));
    if (counted === undefined) continue;
    const { as, byName } = counted;
    const kind = id !== null && isWebhookId(id) ? "webhook" : as;
    const name = byName ? (given ?? "") : "";
    const key = entityKey(kind, name);
    const count = (counts[key] ?? 0) + 1;
    counts[key] = count;
    if (id === null || !isRenewed(id)) continue;
    renewed.push(`${key}\0${count}`);
    ids.set(id, idOf(kind, name, count, { runId, generation: 0 }, null));
  }
  return { counts, renewed, ids };
}

/** Among what the entity is counted of which an event is the request. */
export function countedAs(role: EventRole): RequestRole["counted"] {
  return role.role === "request" ? role.counted : undefined;
}
