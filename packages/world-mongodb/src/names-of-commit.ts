/**
 * What a commit does to names: which of its claims are refused, and what the run has after it.
 */
import { endsRun, type NameConflict, type RunCommit } from "@perdure/core/world";
import { listed, type Names, type Wish } from "./names.ts";
import { isPack, type NumberedEntry } from "./packs.ts";
import type { Prepared } from "./prepared-commit.ts";
import type { RunDocument, StoredName } from "./schema.ts";
import { fromStored, toStored } from "./text.ts";
import { referenceOf } from "./values.ts";

/** A commit, now that it is known who has its names. */
export interface NamedCommit {
  /** The events as they are to be written. */
  readonly entries: readonly NumberedEntry[];
  readonly conflicts: readonly NameConflict[];
  /** The names that the run has after it. */
  readonly list: readonly StoredName[];
  /** Names that it frees and that have passed to the run from another. */
  readonly passed: readonly string[];
  /** The names whose documents are of no use after it. */
  readonly freed: readonly string[];
  /** The large values to which nothing refers after it. */
  readonly unused: readonly string[];
}

/** Takes what a commit claims for its run as it was read. `stale`: the run was written since. */
export async function namesOfCommit(
  { request, entries, wishes }: Prepared,
  run: RunDocument,
  names: Names,
  now: number,
): Promise<NamedCommit | "stale"> {
  const list: StoredName[] = [...(run.names ?? [])];
  const released: StoredName[] = [];
  const unused: (string | undefined)[] = [];
  const conflicts: NameConflict[] = [];
  const refused = new Map<number, string>();
  const owners = await names.take(wished(request, wishes, list), run, now);
  if (owners === "stale") return "stale";

  request.events.forEach(({ release, claim }, index) => {
    const seq = request.seq + 1 + index;
    const wish = wishes.get(seq);
    if (claim !== undefined && wish !== undefined) {
      const mine = list.some(({ name }) => name === wish._id);
      const owner = mine ? run._id : (owners.get(wish._id)?.run._id ?? null);
      if (owner === null) list.push(listed(wish, run.rev));
      else {
        refused.set(seq, owner);
        conflicts.push({ id: claim.id, runId: fromStored(owner) });
        unused.push(referenceOf(wish.data));
      }
    }
    if (release === undefined) return;
    const place = list.findLastIndex(({ id }) => id === toStored(release));
    if (place >= 0) released.push(...list.splice(place, 1));
  });
  const written = entries.map(([seq, entry]): NumberedEntry => {
    const owner = refused.get(seq);
    if (owner === undefined || isPack(entry)) return [seq, entry];
    unused.push(referenceOf(entry.data));
    const type = toStored(request.events[seq - request.seq - 1]?.claim?.refusedAs ?? entry.type);
    return [seq, { ...entry, type, data: new TextEncoder().encode(fromStored(owner)) }];
  });
  const left = endsRun(request) ? list.filter(({ ends }) => ends === undefined) : list;
  released.push(...list.filter((name) => !left.includes(name)));
  unused.push(...released.map(({ value }) => value));
  const kept = new Set(left.map(({ name }) => name));
  return {
    entries: written,
    conflicts,
    list: left,
    passed: released.filter(({ passed }) => passed).map(({ name }) => name),
    freed: released.map(({ name }) => name).filter((name) => !kept.has(name)),
    unused: unused.filter((value) => value !== undefined),
  };
}

/** What must be taken for a commit, given the names that the run has before it. */
function wished(
  { events, seq }: RunCommit,
  wishes: ReadonlyMap<number, Wish>,
  list: readonly StoredName[],
): Wish[] {
  const mine = new Map(list.map(({ name, id }) => [name, id]));
  const wanted = new Map<string, Wish>();
  events.forEach(({ release }, index) => {
    const wish = wishes.get(seq + 1 + index);
    if (wish !== undefined && !mine.has(wish._id)) {
      wanted.set(wish._id, wish);
      mine.set(wish._id, wish.id);
    }
    for (const [name, id] of mine) if (release !== undefined && id === toStored(release)) mine.delete(name);
  });
  return [...wanted.values()];
}
