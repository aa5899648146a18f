import { isTerminal, type JournalEvent } from "@perdure/core/world";
import type { StoreSnapshot } from "./snapshot.ts";

/** What must be true of the names of a store, and of what the journals say of them. */

/** Every broken invariant about names, in words. */
export function nameViolations({ runs, names }: StoreSnapshot): string[] {
  const found: string[] = [];
  const rows = new Map(runs.map(({ row }) => [row.runId, row]));
  const listed = new Set<string>();
  const places = new Set<string>();
  for (const { name, runId, id } of names) {
    const place = placeOf(runId, id);
    if (!rows.has(runId)) found.push(`name ${show(name)} is of run ${runId}, which is not stored`);
    if (listed.has(name)) found.push(`name ${show(name)} is listed twice`);
    if (places.has(place)) found.push(`${place} has name ${show(name)}, and another one`);
    listed.add(name);
    places.add(place);
  }
  for (const { row, journal } of runs) {
    if (isTerminal(row.status)) continue;
    for (const [id, live] of hooks(journal)) {
      const place = placeOf(row.runId, id);
      if (live && !places.has(place)) found.push(`${place} lost its name`);
      if (!live && places.has(place))
        found.push(`${place} has a name, though the journal says that it was freed`);
    }
  }
  return found;
}

/** Whether each hook of a journal is live, by its id. */
export function hooks(journal: readonly JournalEvent[]): ReadonlyMap<string, boolean> {
  const live = new Map<string, boolean>();
  for (const { type, id } of journal) {
    if (id === null) continue;
    if (type === "hook_created" || type === "hook_held") live.set(id, true);
    if (type === "hook_disposed" && live.has(id)) live.set(id, false);
  }
  return live;
}

function placeOf(runId: string, id: string): string {
  return `hook ${id} of run ${runId}`;
}

function show(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}
