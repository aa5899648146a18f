/**
 * Commits in the form of documents, before anything is read or written.
 */
import { isTerminal, type RunCommit } from "@perdure/core/world";
import type { Document } from "mongodb";
import { isPack, type NumberedEntry, packed } from "./packs.ts";
import type { Entry, StoredEvent, ValueDocument } from "./schema.ts";
import { toStored } from "./text.ts";
import type { Values } from "./values.ts";

/** A commit in the form of documents. */
export interface Prepared {
  readonly request: RunCommit;
  readonly id: string;
  readonly entries: readonly NumberedEntry[];
  readonly row: Document;
  readonly unset: readonly string[];
  /** About how many bytes its entries take in the run document. */
  readonly size: number;
  /** By how many bytes the journal grows. */
  readonly bytes: number;
  /** The large values, written before. */
  readonly documents: readonly ValueDocument[];
}

/** An entry takes about so many bytes beside its data and its strings. */
const ENTRY_SIZE = 100;

/** @throws {WorldError} for a value that fits into no document */
export function prepare(request: RunCommit, values: Values): Prepared {
  const id = toStored(request.runId);
  const { run } = request;
  const claimId = toStored(request.claimId);
  const collector = values.collect(id, `A value of run ${request.runId}`);
  const bytes = request.events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  const events = request.events.map(
    ({ type, at, id: eventId, name, data }): StoredEvent => ({
      type,
      at,
      id: eventId === null ? null : toStored(eventId),
      name: name === null ? null : toStored(name),
      data: collector.add(data),
      claimId,
    }),
  );
  const entries = packed(events, request.seq + 1, collector);
  const size = entries.reduce((sum, [, entry]) => sum + sizeOf(entry), 0);
  const row: Document = { seq: request.seq + events.length };
  const unset: string[] = [];
  if (run.status !== undefined) row.status = run.status;
  if (run.startedAt !== undefined) row.startedAt = run.startedAt;
  if (run.completedAt !== undefined) row.completedAt = run.completedAt;
  if (run.output !== undefined) row.output = collector.add(run.output);
  if (run.error !== undefined) row.error = collector.add(run.error);
  if (run.lostClaims !== undefined) row.lostClaims = run.lostClaims;
  if (request.lease.type !== "hold") unset.push("owner");
  return { request, id, entries, row, unset, size, bytes, documents: collector.documents };
}

function sizeOf(entry: Entry): number {
  if (isPack(entry)) return ENTRY_SIZE;
  const { data, id, name, claimId } = entry;
  const inPlace = data instanceof Uint8Array ? data.byteLength : 0;
  return [id, name, claimId].reduce((sum, text) => sum + Buffer.byteLength(text ?? ""), ENTRY_SIZE + inPlace);
}

/** Whether the run is over with it. */
export function ends({ run }: RunCommit): boolean {
  return run.status !== undefined && isTerminal(run.status);
}

/** Whether it asks for tokens or gives them back. */
export function touchesHooks({ events }: RunCommit): boolean {
  return events.some(({ type }) => type === "hook_created" || type === "hook_disposed");
}

/**
 * Cuts a batch where the order counts: a commit that asks for tokens comes after those before it that may free one, or
 * ask for the same.
 */
export function stretchesOf(batch: readonly Prepared[]): Prepared[][] {
  const stretches: Prepared[][] = [];
  let stretch: Prepared[] = [];
  let tokens = new Set<string | null>();
  let frees = false;
  for (const prepared of batch) {
    const { request } = prepared;
    const asked = request.events.filter(({ type }) => type === "hook_created").map(({ name }) => name);
    if (stretch.length > 0 && asked.some((token) => frees || tokens.has(token))) {
      stretches.push(stretch);
      stretch = [];
      tokens = new Set();
      frees = false;
    }
    stretch.push(prepared);
    for (const token of asked) tokens.add(token);
    frees ||= ends(request) || request.events.some(({ type }) => type === "hook_disposed");
  }
  if (stretch.length > 0) stretches.push(stretch);
  return stretches;
}
