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
  readonly hooks: string;
  readonly startKeys: string;
  readonly records: string;
  readonly streams: string;
}

export function collectionsOf(namespace: string): Collections {
  const prefix = namespace === "" ? "perdure" : `perdure_${namespace}`;
  return {
    schema: `${prefix}_schema`,
    runs: `${prefix}_runs`,
    events: `${prefix}_events`,
    values: `${prefix}_values`,
    mail: `${prefix}_mail`,
    hooks: `${prefix}_hooks`,
    startKeys: `${prefix}_startkeys`,
    records: `${prefix}_records`,
    streams: `${prefix}_streams`,
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
    [collections.values, [{ name: "by_run", key: { run: 1 } }]],
    [collections.mail, [{ name: "by_run", key: { run: 1, mailSeq: 1 } }]],
    [collections.hooks, [{ name: "by_run", key: { run: 1, _id: 1 } }]],
    [collections.records, [{ name: "expiring", key: { expiresAt: 1 } }]],
    [collections.streams, [{ name: "by_writer", key: { by: 1, n: 1 } }]],
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

/** Something for each of some consecutive numbers; the keys are the numbers. */
export type Numbered<T> = Readonly<Record<string, T>>;

/** A run, with the end of its journal and of its mailbox. */
export interface RunDocument {
  readonly _id: string;
  /** Tells this run, and what belongs to it, from a deleted one that had the same id. */
  readonly incarnation: string;
  readonly rev: number;
  /** Not a run: one that is being deleted (its `completedAt` is {@link BEING_DELETED}), or a {@link RunDocument.burnt} id. */
  readonly hidden?: true;
  /** No run: the attempt with this number to start it under a key can no longer succeed. See `start.ts`. */
  readonly burnt?: number;
  readonly workflow: string;
  readonly queue: string;
  readonly status: RunRecord["status"];
  readonly epoch: number;
  /** The last claim. Missing before the first. */
  readonly claimId?: string;
  readonly lostClaims: number;
  readonly seq: number;
  readonly bytes: number;
  readonly mailSeq: number;
  readonly mailDone: number;
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
  /** The live hooks, under the seq of their `hook_created` event. Missing before the first. */
  readonly hooks?: Numbered<StoredHook>;
}

/** Before the end of every run, so that what a crash has left of a deletion comes first in the index. */
export const BEING_DELETED = -1;

/** The bytes of a row. */
export type Payloads = Pick<RunRecord, "output" | "error" | "state">;

/** The parts of a run document that are large: who does not need them does not read them. */
export type LargePart = "tail" | "mail" | "hooks";

/** A run document without its large parts. */
export type RunHead = Omit<RunDocument, LargePart>;

export interface StoredHook {
  readonly token: string;
  readonly id: string;
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
  readonly data: Uint8Array;
}

/** A message, under its id. It is in the mailbox if the run document lists it, or if it has a `mailSeq`. */
export interface MailDocument {
  readonly _id: string;
  readonly run: string;
  readonly incarnation: string;
  readonly hookId: string | null;
  readonly type: Mail["type"];
  readonly at: number;
  readonly data?: Uint8Array | null;
  readonly mailSeq?: number;
}

/** Which run has a token, or asked for it when its document had the given `rev`. See `hooks.ts`. */
export interface TokenDocument {
  readonly _id: string;
  readonly run: string;
  readonly incarnation: string;
  readonly rev: number;
}

/** Which run has a start key, or is being started under it. See `start.ts`. */
export interface StartKeyDocument {
  readonly _id: string;
  readonly workflow: string;
  readonly key: string;
  readonly run: string;
  /** Of the run that is started by this attempt. */
  readonly incarnation: string;
  readonly attempt: number;
  /** Runs of which an attempt for this key is burnt; the documents that say so are deleted after this one. */
  readonly burnt?: readonly string[];
  readonly fingerprint: string;
  readonly expiresAt: number | null;
}

/** A record, under its key; see `records.ts`. */
export interface RecordDocument {
  readonly _id: string;
  readonly version: string;
  readonly value: Uint8Array;
  /** `null`: never. */
  readonly expiresAt: number | null;
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

/** The `_id` of a start key: a digest, as workflow and key can be longer than what some services take for an index key. */
export function keyId(workflow: string, key: string): string {
  return createHash("sha256").update(`${workflow.length} ${workflow}${key}`).digest("hex");
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
    seq: run.seq,
    bytes: run.bytes,
    mailSeq: run.mailSeq,
    mailDone: run.mailDone,
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
