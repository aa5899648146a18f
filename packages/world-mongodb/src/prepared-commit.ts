/**
 * Commits in the form of documents, before anything is read or written.
 */
import { WorldError } from "@perdure/core/errors";
import { isTerminal, type RunCommit } from "@perdure/core/world";
import type { Document } from "mongodb";
import { attributesIn } from "./attributes.ts";
import type { StoredEvent, ValueDocument } from "./schema.ts";
import { toStored } from "./text.ts";
import { LARGEST_IN_PLACE, type Values } from "./values.ts";

/** A commit in the form of documents. */
export interface Prepared {
  readonly request: RunCommit;
  readonly id: string;
  readonly events: readonly StoredEvent[];
  readonly row: Document;
  readonly unset: readonly string[];
  /** About how many bytes its events take in the run document. */
  readonly size: number;
  /** By how many bytes the journal grows. */
  readonly bytes: number;
  /** The large values, written before. */
  readonly documents: readonly ValueDocument[];
}

/** An event takes about so many bytes beside its data and its strings. */
const EVENT_SIZE = 100;
/** Above so many bytes in place, a commit's values leave the run document from a smaller size on. */
const CROWDED = 8 * 1024 * 1024;
const LARGEST_IN_CROWD = 256;
const MANY_EVENTS = 500;
/** No run document is made larger than this. */
const LARGEST_COMMIT = 12 * 1024 * 1024;

/** @throws {WorldError} for a value or a commit that fits into no document */
export function prepare(request: RunCommit, values: Values): Prepared {
  const id = toStored(request.runId);
  const { run } = request;
  const claimId = toStored(request.claimId);
  const collector = values.collect(id, `A value of run ${request.runId}`);
  const bytes = request.events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  const largest = bytes > CROWDED ? LARGEST_IN_CROWD : LARGEST_IN_PLACE;
  let size = 0;
  const events = request.events.map(({ type, at, id: eventId, name, data }): StoredEvent => {
    size +=
      EVENT_SIZE +
      (data === null || data.byteLength > largest ? 0 : data.byteLength) +
      lengthOf(eventId) +
      lengthOf(name) +
      claimId.length;
    return {
      type,
      at,
      id: eventId === null ? null : toStored(eventId),
      name: name === null ? null : toStored(name),
      data: collector.add(data, largest),
      claimId,
    };
  });
  if (size > LARGEST_COMMIT) {
    throw new WorldError(
      `A commit of run ${request.runId} has ${events.length} events, more than a MongoDB document holds. Create ` +
        "fewer steps at once.",
      { retryable: false },
    );
  }
  const row: Document = { seq: request.seq + events.length };
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
  if (request.lease.type !== "hold") unset.push("owner");
  return { request, id, events, row, unset, size, bytes, documents: collector.documents };
}

function lengthOf(text: string | null): number {
  return text === null ? 0 : Buffer.byteLength(text);
}

/** Whether the run is over with it. */
export function ends({ run }: RunCommit): boolean {
  return run.status !== undefined && isTerminal(run.status);
}

/** Whether its events are so many that they make a tail of their own: setting each of them would cost the server a search. */
export function isLong({ events }: RunCommit): boolean {
  return events.length > MANY_EVENTS;
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
