/** What a batch does to names, as one parameter; see `functions/names.ts`. */
import { endsRun, type NameClaim, type RunCommit } from "@perdure/core/world";
import { type Bytes, whole, wholeOrNull } from "./packing.ts";
import { toStored, toStoredOrNull } from "./text.ts";

/** A claim in its columns. */
export interface ClaimColumns {
  readonly name: string;
  readonly id: string;
  readonly fingerprint: string | null;
  readonly keep_for: number | null;
  readonly free_at: number;
  readonly start: number;
  readonly length: number;
}

export function claimColumns(
  { name, id, fingerprint, data, keepFor, freeAt }: NameClaim,
  bytes: Bytes,
): ClaimColumns {
  return {
    name: toStored(name),
    id: toStored(id),
    fingerprint: toStoredOrNull(fingerprint),
    keep_for: wholeOrNull(keepFor),
    free_at: whole(freeAt),
    ...bytes.add(data),
  };
}

export function actsOnNames({ events }: RunCommit): boolean {
  return events.some(({ claim, release }) => claim !== undefined || release !== undefined);
}

/** @returns JSON, or `null` where no commit acts on a name; that runs end is known without it */
export function actsOf(batch: readonly RunCommit[], bytes: Bytes): string | null {
  const acts: object[] = [];
  let event = 0;
  for (const [index, commit] of batch.entries()) {
    const at = { commit: index + 1 };
    /** The names that this commit asks for, by their ids. */
    const claimed = new Map<string, string>();
    for (const { claim, release } of commit.events) {
      event++;
      if (claim !== undefined) {
        const columns = claimColumns(claim, bytes);
        claimed.set(claim.id, columns.name);
        acts.push({ ...at, event, kind: "claim", ...columns, refused_as: toStored(claim.refusedAs) });
      }
      if (release !== undefined) {
        acts.push({ ...at, event, kind: "release", id: toStored(release), name: claimed.get(release) });
      }
    }
    if (endsRun(commit)) for (const name of claimed.values()) acts.push({ ...at, kind: "end", name });
  }
  return acts.length === 0 ? null : JSON.stringify(acts);
}
