/**
 * The documents of one namespace, and how they become records.
 *
 * The run document is the truth about a run; every other collection holds what is too large for it, or is a directory
 * whose entries count only as far as run documents confirm them. Every write of a run document adds one to its `rev`,
 * so an update whose filter names the `rev` that was read is a compare-and-set.
 */
import { createHash } from "node:crypto";
import { attributesFromText, type JournalEvent, type Mail, type RunRecord } from "@perdure/core/world";
import type { IndexDescription } from "mongodb";
import { fromStored, fromStoredOrNull } from "./text.ts";

/** The names of one namespace's collections. */
export interface Collections {
  readonly schema: string;
  readonly runs: string;
  readonly events: string;
  readonly values: string;
  readonly mail: string;
  readonly names: string;
  readonly records: string;
  readonly streams: string;
  readonly outbox: string;
}

export function collectionsOf(namespace: string): Collections {
  const prefix = namespace === "" ? "perdure" : `perdure_${namespace}`;
  return {
    schema: `${prefix}_schema`,
    runs: `${prefix}_runs`,
    events: `${prefix}_events`,
    values: `${prefix}_values`,
    mail: `${prefix}_mail`,
    names: `${prefix}_names`,
    records: `${prefix}_records`,
    streams: `${prefix}_streams`,
    outbox: `${prefix}_outbox`,
  };
}

/** The index that a claim walks. */
export const DUE_INDEX = "due";

/**
 * Version 1: the indexes beside those on `_id`. None is unique or partial: what must be unique is an `_id`, and a filter
 * that compares with a number passes over documents without one.
 */
export function indexesOf(collections: Collections): readonly (readonly [string, IndexDescription[]])[] {
  return [
    [
      collections.runs,
      [
        { name: DUE_INDEX, key: { queue: 1, dueAt: 1 } },
        { name: "created", key: { createdAt: 1, _id: 1 } },
        { name: "by_workflow", key: { workflow: 1, createdAt: 1, _id: 1 } },
        { name: "by_queue", key: { queue: 1, createdAt: 1, _id: 1 } },
        { name: "by_status", key: { status: 1, createdAt: 1, _id: 1 } },
        { name: "by_attribute", key: { attributeKeys: 1, createdAt: 1, _id: 1 } },
        { name: "completed", key: { completedAt: 1, _id: 1 } },
      ],
    ],
    [collections.values, [{ name: "by_run", key: { run: 1, seq: 1 } }]],
    [collections.mail, [{ name: "by_run", key: { run: 1, mailSeq: 1 } }]],
    [collections.names, [{ name: "by_run", key: { incarnation: 1 } }]],
    [collections.records, [{ name: "expiring", key: { expiresAt: 1 } }]],
    [collections.streams, [{ name: "by_writer", key: { by: 1, n: 1 } }]],
    // It also makes the collection: transactions that have to do that are in each other's way.
    [collections.outbox, [{ name: "by_transaction", key: { transaction: 1, _id: 1 } }]],
  ];
}

/** Bytes, in place or as the id of a document in `values`. */
export type StoredValue = Uint8Array | { readonly value: string } | null;

/** One event, under its `seq`. */
export interface StoredEvent {
  readonly type: JournalEvent["type"];
  readonly at: number;
  readonly id: string | null;
  readonly name: string | null;
  readonly data: StoredValue;
  /** The claim under which it was written, if any: tells whose commit it belongs to. */
  readonly claimId: string | null;
}

/** Some consecutive events in one value, under the number of the last. See `packs.ts`. */
export interface Pack {
  readonly first: number;
  readonly pack: StoredValue;
}

/** What stands in a journal's documents. */
export type Entry = StoredEvent | Pack;

/** The statuses of runs that have not ended. */
export const OPEN: readonly RunRecord["status"][] = ["pending", "running", "diverged"];

/** Something for each of some consecutive numbers; the keys are the numbers. */
export type Numbered<T> = Readonly<Record<string, T>>;

/** A run, with the end of its journal and of its mailbox. */
export interface RunDocument {
  readonly _id: string;
  /** Tells this run, and what belongs to it, from a deleted one that had the same id. */
  readonly incarnation: string;
  readonly rev: number;
  /** Not a run: one that is being deleted, or a {@link RunDocument.draft}. Its `completedAt` is {@link NO_RUN}. */
  readonly hidden?: true;
  /** Not a run yet: it asks for its names, and becomes one if nobody has written it before. See `start.ts`. */
  readonly draft?: true;
  readonly workflow: string;
  readonly queue: string;
  readonly status: RunRecord["status"];
  readonly epoch: number;
  /** The last claim. Missing before the first. */
  readonly claimId?: string;
  readonly lostClaims: number;
  /** Missing before the first restart, as is `firstSeq`. */
  readonly generation?: number;
  readonly firstSeq?: number;
  readonly seq: number;
  readonly bytes: number;
  readonly mailSeq: number;
  readonly mailDone: number;
  /** Missing before the first end mail, as are the other fields of its mailbox. */
  readonly endSeq?: number;
  readonly endDone?: number;
  readonly owner?: string;
  readonly dueAt?: number;
  readonly output?: StoredValue;
  readonly error?: StoredValue;
  readonly state?: StoredValue;
  /** As JSON. */
  readonly attributes?: string;
  /** What runs are found by: a digest of each attribute. */
  readonly attributeKeys?: readonly string[];
  readonly idempotencyKey?: string;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly completedAt?: number;
  /** The events from `tailFrom` on. Those before are in `events`. */
  readonly tail: Numbered<Entry>;
  readonly tailFrom: number;
  /** About how many bytes `tail` takes. */
  readonly tailSize: number;
  /** The ids of the messages from `mailFrom` on. Those before have their `mailSeq` in `mail`. */
  readonly mail: Numbered<string>;
  readonly mailFrom: number;
  /** The same two fields for end mail. */
  readonly endMail?: Numbered<string>;
  readonly endFrom?: number;
  /** The names that it has, or of a draft those that it asks for. Missing before the first. See `names.ts`. */
  readonly names?: readonly StoredName[];
}

/** Before the end of every run, so that what a crash has left of a start or a deletion comes first in the index. */
export const NO_RUN = -1;

/** The bytes of a row. */
export type Payloads = Pick<RunRecord, "output" | "error" | "state">;

/** The parts of a run document that are large: who does not need them does not read them. */
export type LargePart = "tail" | "mail" | "endMail" | "names";

export const LARGE: readonly LargePart[] = ["tail", "mail", "endMail", "names"];

/** A run document without its large parts. */
export type RunHead = Omit<RunDocument, LargePart>;

/** A name in the list of its run. */
export interface StoredName {
  /** The `_id` of its document. */
  readonly name: string;
  readonly id: string;
  /** The `rev` that the run document had before the name came into this list: tells which claim of the name is meant. */
  readonly rev: number;
  /** It is free as soon as the run has ended. */
  readonly ends?: true;
  /** It may have passed to this run from another one, whose claim is beside this run's as long as nothing else is said. */
  readonly passed?: true;
  /** Where its data is, if that is large. */
  readonly value?: string;
}

/** A stretch of a journal that has left the run document. `_id`: see {@link segmentId}. */
export interface SegmentDocument {
  readonly _id: string;
  readonly events: Numbered<Entry>;
}

/** Bytes that are too large for a run document. */
export interface ValueDocument {
  readonly _id: string;
  readonly run: string;
  /** The number of the first event that was written with it or, if there was none, of the next. */
  readonly seq: number;
  readonly data: Uint8Array;
}

/** A message, under its id. It is in the mailbox if the run document lists it, or if it has a `mailSeq`. */
export interface MailDocument {
  readonly _id: string;
  readonly run: string;
  readonly incarnation: string;
  /** What in the run it is for. */
  readonly id: string | null;
  /** The name to which it was sent, if it was. */
  readonly name?: string;
  readonly type: Mail["type"];
  readonly at: number;
  /** Missing once the message is consumed. */
  readonly data?: Uint8Array | null;
  readonly end?: true;
  /** Its number. Of end mail the negative of it, so that one index keeps the two mailboxes apart. */
  readonly mailSeq?: number;
  /** When it got its `mailSeq`. */
  readonly numberedAt?: number;
}

/** What a run has, or asks for, under a name. See `names.ts`. */
export interface StoredClaim {
  readonly run: string;
  readonly incarnation: string;
  /** Of the run document that was read before: the claim counts if the next write of that document lists it. */
  readonly rev: number;
  readonly id: string;
  readonly fingerprint: string | null;
  readonly data: StoredValue;
  readonly keepFor: number | null;
  readonly freeAt: number;
  readonly createdAt: number;
}

/** A name. `_id`: see {@link nameId}. */
export interface NameDocument extends StoredClaim {
  readonly _id: string;
  /** The whole name, where the `_id` has only its beginning. */
  readonly name?: string;
  /** The claim that counts if the newer one never did. */
  readonly before?: StoredClaim;
}

/** A record, under its key; see `records.ts`. */
export interface RecordDocument {
  readonly _id: string;
  readonly version: string;
  readonly value: Uint8Array;
  /** `null`: never. */
  readonly expiresAt: number | null;
}

/** What a transaction of a user's asks for. Those of one transaction are in the order of `_id`. See `outbox.ts`. */
export interface OutboxDocument {
  readonly _id: string;
  readonly transaction: string;
  readonly request: Uint8Array;
}

/** That a run has a stream of this name, or is about to have it. See `streams.ts`. */
export interface StreamEntry {
  readonly _id: string;
  readonly run: string;
  readonly name: string;
}

/** Some chunks of one writer that follow each other in a stream, or its end. */
export interface SegmentOfStream {
  readonly _id: string;
  readonly run: string;
  /** The stream's. */
  readonly name: string;
  /** Index of the first chunk. */
  readonly first: number;
  readonly count: number;
  /** Of all chunks. */
  readonly bytes: number;
  readonly writer?: string;
  /** Stream and writer, as a digest. */
  readonly by?: string;
  /** How many chunks of the writer come before these. */
  readonly n?: number;
  readonly closed?: true;
  readonly chunks: readonly Uint8Array[];
}

/** So many characters of a name are in its `_id`; some services take no longer index keys than a thousand bytes. */
export const LONGEST_NAME_ID = 255;

/** The `_id` of a name, given its stored form: the name itself or, if it is long, its beginning and a digest. */
export function nameId(name: string): string {
  if (name.length <= LONGEST_NAME_ID) return name;
  return name.slice(0, LONGEST_NAME_ID) + createHash("sha256").update(name).digest("hex");
}

/** Sorts after every segment of the run that ends at `seq` or before, and before or at all others of the run. */
export function segmentId(run: Pick<RunDocument, "incarnation">, seq: number): string {
  return `${run.incarnation}:${String(seq).padStart(12, "0")}`;
}

/** Sorts after every segment of the run. */
export function segmentEnd(run: Pick<RunDocument, "incarnation">): string {
  return `${run.incarnation};`;
}

/** The entries of a {@link Numbered}, in order. */
export function inOrder<T>(numbered: Numbered<T>): (readonly [number, T])[] {
  return Object.entries(numbered)
    .map(([number, entry]) => [Number(number), entry] as const)
    .sort(([a], [b]) => a - b);
}

/** The row, once its payloads are at hand. */
export function toRunRecord(run: RunHead, payloads: Payloads = NO_PAYLOADS): RunRecord {
  return {
    runId: fromStored(run._id),
    workflow: fromStored(run.workflow),
    queue: fromStored(run.queue),
    status: run.status,
    epoch: run.epoch,
    claimId: fromStoredOrNull(run.claimId),
    lostClaims: run.lostClaims,
    generation: run.generation ?? 0,
    firstSeq: run.firstSeq ?? 1,
    seq: run.seq,
    bytes: run.bytes,
    mailSeq: run.mailSeq,
    mailDone: run.mailDone,
    endSeq: run.endSeq ?? 0,
    endDone: run.endDone ?? 0,
    owner: fromStoredOrNull(run.owner),
    dueAt: run.dueAt ?? null,
    ...payloads,
    attributes: attributesFromText(run.attributes),
    idempotencyKey: fromStoredOrNull(run.idempotencyKey),
    createdAt: run.createdAt,
    startedAt: run.startedAt ?? null,
    completedAt: run.completedAt ?? null,
  };
}

const NO_PAYLOADS: Payloads = { output: null, error: null, state: null };
