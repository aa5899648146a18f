/**
 * Commits in the form of documents, before anything is read or written.
 */
import { type CommitEvent, endsRun, type NewEvent, type RunCommit } from "@perdure/core/world";
import type { Document } from "mongodb";
import { attributesIn } from "./attributes.ts";
import { type Wish, wishOf } from "./names.ts";
import { isPack, type NumberedEntry, packed } from "./packs.ts";
import type { Entry, StoredEvent, ValueDocument } from "./schema.ts";
import { toStored } from "./text.ts";
import type { Collector, Values } from "./values.ts";

/** A commit in the form of documents. */
export interface Prepared extends PreparedEvents {
  readonly request: RunCommit;
  readonly id: string;
  /** The names that its events claim, by the numbers of the events. */
  readonly wishes: ReadonlyMap<number, Wish>;
  readonly row: Document;
  readonly unset: readonly string[];
  /** The large values, written before. */
  readonly documents: readonly ValueDocument[];
}

/** Events in the form of documents. */
export interface PreparedEvents {
  readonly entries: readonly NumberedEntry[];
  /** About how many bytes the entries take in the run document. */
  readonly size: number;
  /** By how many bytes the journal grows. */
  readonly bytes: number;
}

/** An entry takes about so many bytes beside its data and its strings. */
const ENTRY_SIZE = 100;

/** @throws {WorldError} for a value that fits into no document */
export function prepare(request: RunCommit, values: Values): Prepared {
  const id = toStored(request.runId);
  const { run, seq } = request;
  const collector = values.collect(id, seq + 1, `A value of run ${request.runId}`);
  const claimId = toStored(request.claimId);
  const events = prepareEvents(request.events, { first: seq + 1, claimId, collector });
  const wishes = new Map(
    request.events.flatMap(({ claim, at }, index) =>
      claim === undefined ? [] : [[seq + 1 + index, wishOf(claim, at, null, collector)] as const],
    ),
  );
  const row: Document = { seq: seq + request.events.length };
  const unset: string[] = [];
  if (run.status !== undefined) row.status = run.status;
  if (run.startedAt !== undefined) row.startedAt = run.startedAt;
  if (run.completedAt !== undefined) row.completedAt = run.completedAt;
  if (run.output !== undefined) row.output = collector.add(run.output);
  if (run.error !== undefined) row.error = collector.add(run.error);
  if (run.state !== undefined) row.state = collector.add(run.state);
  if (run.queue !== undefined) row.queue = toStored(run.queue);
  if (run.attributes !== undefined) {
    const fields = attributesIn(run.attributes);
    Object.assign(row, fields);
    if (fields.attributes === undefined) unset.push("attributes", "attributeKeys");
  }
  if (run.lostClaims !== undefined) row.lostClaims = run.lostClaims;
  if (request.lease.type === "park") unset.push("owner");
  return { ...events, request, id, wishes, row, unset, documents: collector.documents };
}

/** @param as the number of the first event, and the claim under which they are written */
export function prepareEvents(
  events: readonly (NewEvent & Pick<CommitEvent, "claim">)[],
  as: { readonly first: number; readonly claimId: string | null; readonly collector: Collector },
): PreparedEvents {
  const { first, claimId, collector } = as;
  const stored = events.map(
    ({ type, at, id, name, data }): StoredEvent => ({
      type: toStored(type),
      at,
      id: id === null ? null : toStored(id),
      name: name === null ? null : toStored(name),
      data: collector.add(data),
      claimId,
    }),
  );
  const entries = packed(stored, first, collector, (index) => events[index]?.claim !== undefined);
  return {
    entries,
    size: entries.reduce((sum, [, entry]) => sum + sizeOf(entry), 0),
    bytes: events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0),
  };
}

function sizeOf(entry: Entry): number {
  if (isPack(entry)) return ENTRY_SIZE;
  const { data, id, name, claimId } = entry;
  const inPlace = data instanceof Uint8Array ? data.byteLength : 0;
  return [id, name, claimId].reduce((sum, text) => sum + Buffer.byteLength(text ?? ""), ENTRY_SIZE + inPlace);
}

/** Whether it claims names or releases some. */
export function touchesNames({ events }: RunCommit): boolean {
  return events.some(({ claim, release }) => claim !== undefined || release !== undefined);
}

/**
 * Cuts a batch where the order counts: a commit that claims names comes after those before it that may free one, or
 * claim the same.
 */
export function stretchesOf(batch: readonly Prepared[]): Prepared[][] {
  const stretches: Prepared[][] = [];
  let stretch: Prepared[] = [];
  let names = new Set<string>();
  let frees = false;
  for (const prepared of batch) {
    const { request } = prepared;
    const claimed = [...prepared.wishes.values()].map(({ _id }) => _id);
    if (stretch.length > 0 && claimed.some((name) => frees || names.has(name))) {
      stretches.push(stretch);
      stretch = [];
      names = new Set();
      frees = false;
    }
    stretch.push(prepared);
    for (const name of claimed) names.add(name);
    frees ||= endsRun(request) || request.events.some(({ release }) => release !== undefined);
  }
  if (stretch.length > 0) stretches.push(stretch);
  return stretches;
}
